# Counts how often a lock was contended (/proc/lock_stat), for bench_cpus. This
# needs the classes of lockdep, and nothing that makes the locked sections longer.
CONFIG_LOCK_STAT=y
CONFIG_PROVE_LOCKING=n
