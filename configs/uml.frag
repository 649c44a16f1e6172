# User Mode Linux: the same mm code as a native process of the host, one CPU,
# the host's files as its root. It has no THP, NUMA or hibernation, but the freezer.
CONFIG_SMP=n
CONFIG_PREEMPT_VOLUNTARY=n
CONFIG_STATIC_LINK=n
CONFIG_HOSTFS=y
CONFIG_MCONSOLE=n
CONFIG_SSL=n
CONFIG_STDERR_CONSOLE=y
CONFIG_NULL_CHAN=y
CONFIG_TTY_CHAN=y
CONFIG_PTY_CHAN=n
CONFIG_BLK_DEV_UBD=y
CONFIG_UML_RTC=n
CONFIG_SUSPEND=y
