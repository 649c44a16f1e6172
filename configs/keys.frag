# Static keys patch the code, as on every machine that users have.
CONFIG_JUMP_LABEL=y
