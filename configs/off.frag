# The kernel without the layer: what CONFIG_SWAP_ABS=n must still build and run.
CONFIG_SWAP_ABS=n
CONFIG_SWAP_ABS_KUNIT_TEST=n
