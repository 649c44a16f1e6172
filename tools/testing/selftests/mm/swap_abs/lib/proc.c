// SPDX-License-Identifier: GPL-2.0
/* Processes that work for a test. */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kselftest.h"
#include "internal.h"

void *sa_map_shared(void)
{
	void *p = mmap(NULL, SA_PAGE, PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		return NULL;
	mlock(p, SA_PAGE);
	return p;
}

pid_t sa_fork(void)
{
	pid_t parent = getpid();
	pid_t pid = fork();

	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(1);
	}
	return pid < 0 ? -errno : pid;
}

pid_t sa_start(const char *cg, int (*fn)(void *), void *arg)
{
	pid_t pid = sa_fork();

	if (!pid) {
		/* The OOM killer kills this process first. */
		sa_write("/proc/self/oom_score_adj", "500");
		if (cg && sa_cg_enter(cg))
			_exit(99);
		_exit(fn(arg));
	}
	return pid;
}

int sa_join(pid_t pid, int seconds)
{
	double end = sa_now() + seconds;
	int status = 0, ret = 0;

	if (pid <= 0)
		return pid ? pid : -ECHILD;
	for (;;) {
		ret = waitpid(pid, &status, WNOHANG);
		if (ret || sa_now() > end)
			break;
		usleep(2000);
	}
	if (!ret) {
		kill(pid, SIGKILL);
		waitpid(pid, &status, 0);
		return SA_LATE;
	}
	if (ret < 0)
		return -errno;
	if (WIFSIGNALED(status))
		return -WTERMSIG(status);
	return WEXITSTATUS(status);
}

bool sa_has_ended(pid_t pid)
{
	siginfo_t info = { };

	return waitid(P_PID, pid, &info, WEXITED | WNOHANG | WNOWAIT) || info.si_pid == pid;
}

int sa_run(const char *cg, int (*fn)(void *), void *arg, int seconds)
{
	return sa_join(sa_start(cg, fn, arg), seconds);
}

/*
 * Take SIGSEGV for SIGKILL, too: handle_page_fault() of User Mode Linux turns
 * the fault of a process that is being killed into a SIGSEGV, which then comes
 * first.
 */
bool sa_was_killed(int status)
{
	return status == -SIGKILL || status == -SIGSEGV;
}

int sa_run_fill(void *arg)
{
	const struct sa_fill *fill = arg;
	struct sa_area a;

	if (sa_area_map(&a, fill->pages, fill->pat, 13))
		return 2;
	sa_area_fill(&a);
	return sa_area_check(&a) ? 1 : 0;
}

int sa_run_load(void *arg)
{
	struct sa_load *l = arg;
	double end = sa_now() + l->seconds;
	__u64 rnd = getpid();
	struct sa_area a;
	size_t bad = 0;

	if (sa_area_map(&a, l->pages, SA_MIXED, rnd))
		return 2;
	while (!bad && sa_now() < end) {
		size_t from = sa_rand(&rnd) % a.n;

		a.gen++;
		sa_area_fill(&a);
		madvise(a.p + from * SA_PAGE, (a.n - from) * SA_PAGE, MADV_PAGEOUT);
		bad += sa_area_check(&a);
	}
	return bad ? 1 : 0;
}

struct nobody {
	const char *path, *text;
};

static int write_as_nobody(void *arg)
{
	struct nobody *n = arg;

	return seteuid(65534) ? 255 : -sa_write(n->path, n->text);
}

int sa_write_as_nobody(const char *path, const char *text)
{
	struct nobody n = { .path = path, .text = text };
	int ret = sa_run(NULL, write_as_nobody, &n, 30);

	return ret > 0 ? -ret : ret;
}

int sa_bench_main(int (*measure)(void *), void *arg)
{
	int status;
	pid_t pid;

	/*
	 * The measurement runs in a child because sa_end() kills all processes
	 * in the cgroup.
	 */
	pid = fork();
	if (!pid) {
		status = measure(arg);
		fflush(stdout);
		_exit(status);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return 1;
	if (sa_end() && !WEXITSTATUS(status))
		return 1;
	return WEXITSTATUS(status);
}

int sa_bench_failed(const char *what)
{
	fprintf(stderr, "%s: %s\n", program_invocation_short_name, what);
	return KSFT_FAIL;
}

int sa_bench_skipped(const char *why)
{
	fprintf(stderr, "%s: %s\n", program_invocation_short_name, why);
	return KSFT_SKIP;
}

int sa_nth_cpu(int i)
{
	cpu_set_t set;
	int cpu;

	if (sched_getaffinity(0, sizeof(set), &set))
		return -1;
	for (cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, &set) && !i--)
			return cpu;
	return -1;
}

int sa_pin_to_cpu(int i)
{
	int cpu = sa_nth_cpu(i);
	cpu_set_t set;

	if (cpu < 0)
		return -1;
	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	return sched_setaffinity(0, sizeof(set), &set);
}

int sa_task_start(struct sa_task *t, void *(*fn)(void *), void *arg)
{
	t->pid = 0;
	if (!sa_is_uml())
		return -pthread_create(&t->thread, NULL, fn, arg);
	t->pid = sa_fork();
	if (!t->pid)
		_exit(!!fn(arg));
	return t->pid < 0 ? t->pid : 0;
}

int sa_task_end(struct sa_task *t, int seconds)
{
	void *found = NULL;
	int ret;

	if (!t->pid) {
		pthread_join(t->thread, &found);
		return !!found;
	}
	ret = sa_join(t->pid, seconds);
	if (ret && ret != 1)
		sa_log("process %d of the job: status %d", t->pid, ret);
	return sa_was_killed(ret) ? SA_KILLED : !!ret;
}

static int do_swapoff(void *path)
{
	return -sa_swapoff(path);
}

int sa_swapoff_child(const char *path, int seconds)
{
	int ret = sa_run(NULL, do_swapoff, (void *)path, seconds);

	return ret == SA_LATE ? ret : ret > 0 ? -ret : ret;
}

static void on_signal(int sig)
{
}

struct signalled {
	int (*fn)(void *arg);
	void *arg;
	int usec;
};

static int do_signalled(void *arg)
{
	struct signalled *s = arg;
	struct sigaction sa = { .sa_handler = on_signal };
	struct itimerval it = {
		.it_value = { .tv_usec = s->usec }, .it_interval = { .tv_usec = 1000 },
	};
	int ret;

	sigaction(SIGALRM, &sa, NULL);
	setitimer(ITIMER_REAL, &it, NULL);
	ret = s->fn(s->arg);
	memset(&it, 0, sizeof(it));
	setitimer(ITIMER_REAL, &it, NULL);
	return ret;
}

int sa_run_signalled(int (*fn)(void *), void *arg, int usec, int seconds)
{
	struct signalled s = { .fn = fn, .arg = arg, .usec = usec };
	int ret = sa_run(NULL, do_signalled, &s, seconds);

	return ret == SA_LATE ? ret : ret > 0 ? -ret : ret;
}

int sa_swapoff_signalled(const char *path, int usec, int seconds)
{
	return sa_run_signalled(do_swapoff, (void *)path, usec, seconds);
}
