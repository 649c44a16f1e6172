# QEMU 7.2 without KVM may go on running code that another CPU of the guest has patched,
# because up to QEMU 8.1 a write does not find a block that is being translated just then.
# The tests switch vm.swap_abs thousands of times, and CI met "Oops: int3" at a place that
# held a no-operation again. So static keys are variables here.
CONFIG_JUMP_LABEL=n
