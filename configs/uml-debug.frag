# What debug.frag asks for and User Mode Linux cannot do.
CONFIG_DEBUG_VM_PGTABLE=n
CONFIG_SMP=n
