# Static keys patch the code, as on every machine that users have.
CONFIG_JUMP_LABEL=y
# So does the checksum use what the processor has for it.
CONFIG_CRC_OPTIMIZATIONS=y
