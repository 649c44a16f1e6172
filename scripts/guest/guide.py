#!/usr/bin/env python3
"""Do the commands of the admin guide work? Inside the guest:

  scripts/guest/guide.py RST [RECIPE...]      run recipes, all by default
  scripts/guest/guide.py --list RST RECIPE    only print a recipe's commands
  scripts/guest/guide.py --now                only test what is set up now

Takes each literal block of Documentation/admin-guide/mm/swap-abstraction.rst for
commands, and runs them line by line. A comment line before the blocks names what
they are:

  .. guide: NAME [setup=RECIPE] [devices=/dev/A,/dev/B]

The commands of "setup" run before; the devices, in their order, are replaced by the
guest's disks ($DISKS). Each command must exit with 0. Before the commands of a recipe
that has a setup, data is swapped out, a part of it to a device, so that they have
something to do; and more of it after them, into each cgroup that they have made. In the
end all data must be right, the layer's own check must have no violation, and everything
can be put back, swapoff first. What the commands are to achieve is tested by the
selftests. Prints TAP. Called by scripts/check.d/49-guide through scripts/vm.
"""

import glob
import os
import re
import subprocess
import sys
import time

CGROUP = "/sys/fs/cgroup"
TIERS = "/sys/kernel/mm/swap/tiers"
ZSWAP = "/sys/module/zswap/parameters"
SIZE = 40 << 20
FAILING = "guide-failing"  # a device mapper's, of the recipe "failed"
disks = os.environ.get("DISKS", "").split()


class Failed(Exception):
    pass


def read(path):
    with open(path) as f:
        return f.read().strip()


def write(path, text):
    with open(path, "w") as f:
        f.write(str(text))


def run(command):
    print("# $ " + command, flush=True)
    r = subprocess.run(["timeout", "120", "bash", "-o", "pipefail", "-c", command], text=True,
                       stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    lines = r.stdout.splitlines()
    for line in lines[-12:] if r.returncode else lines[:12]:
        print("#   " + line[:150], flush=True)
    if r.returncode:
        raise Failed(f"exit status {r.returncode}: {command}")


def soon(what, condition):
    for _ in range(60):
        if condition():
            return
        time.sleep(0.5)
    raise Failed("not so: " + what)


class Recipe:
    def __init__(self, setup="", devices=""):
        self.setup, self.devices, self.commands = setup, devices.split(",") if devices else [], []


def read_guide(path):
    """The recipes by name; complains of a block that no recipe has, and of an empty recipe"""
    recipes, recipe, base, inside, wrong = {}, None, None, False, []
    for nr, line in enumerate(open(path), 1):
        line = line.rstrip().expandtabs()
        indent = len(line) - len(line.lstrip())
        if not line:
            continue
        if base is not None and indent > base:
            inside = True
            if recipe:
                recipe.commands.append(line.strip())
            else:
                wrong.append(f"line {nr}: a block of no recipe")
            continue
        if base is not None and not inside:
            wrong.append(f'line {nr}: "::" without a block')
        base, inside = None, False
        if m := re.match(r" *\.\. guide: (\S+)((?: (?:setup|devices)=\S+)*)$", line):
            name = m[1]
            recipe = Recipe(**dict(w.split("=") for w in m[2].split()))
            if name in recipes or recipe.setup and recipe.setup not in recipes:
                wrong.append(f"line {nr}: {name} is there twice, or its setup is not before it")
            recipes[name] = recipe
        elif re.match(r" *\.\. guide:", line):
            wrong.append(f"line {nr}: not understood: {line}")
        elif line.endswith("::") and not line.lstrip().startswith(".. "):
            base = indent
    wrong += [f"{name} has no commands" for name, r in recipes.items() if not r.commands]
    if wrong or not recipes:
        sys.exit(f"{path}: " + "; ".join(wrong or ["no recipe"]))
    return recipes


# --- data that is swapped out

data = {}  # of each file


def swap_out(part):
    """Swap out new data of each cgroup; where nothing can be, say so and return False"""
    if read(ZSWAP + "/enabled") == "N" and len(read("/proc/swaps").splitlines()) == 1:
        print("# nothing can be swapped out now")
        return False
    write(CGROUP + "/cgroup.subtree_control", "+memory")
    groups = glob.glob(CGROUP + "/*/") or [CGROUP + "/guide/"]
    for group in groups:
        os.makedirs(group, exist_ok=True)
        file = f"/dev/shm/guide.{os.path.basename(group[:-1])}.{part}"
        # Hex digits, twice in a page: they compress to a quarter.
        data[file] = b"".join(2 * os.urandom(1024).hex().encode() for _ in range(SIZE // 4096))
        before = int(read(group + "memory.swap.current"))
        subprocess.run(["sh", "-c", f"echo 0 >{group}cgroup.procs && exec cat >{file}"],
                       input=data[file], check=True)
        for _ in range(40):
            try:
                write(group + "memory.reclaim", 8 << 20)
            except OSError:  # it was less than that
                time.sleep(0.1)
            if int(read(group + "memory.swap.current")) - before >= SIZE * 3 // 4:
                break
        else:
            raise Failed(f"not so: most data of {group} is swapped out")
    return True


def data_is_right():
    for file, want in data.items():
        with open(file, "rb") as f:
            if f.read() != want:
                raise Failed(f"not so: the data in {file} is right")
    # The sums may be off while data moves in the background.
    check = "/sys/kernel/debug/swap_abs/check"
    soon("violations: 0", lambda: read(check).startswith("violations: 0\n"))


def demote(size):
    try:
        write(TIERS + "/zswap/demote", size)
    except OSError:  # there is no zswap, no device, or no room
        pass


# --- a recipe

def flaky(command, target):
    """Create or reload a device mapper's device of the first disk"""
    run(f"dmsetup {command} {FAILING} --table \"0 $(blockdev --getsz {disks[0]}) {target}\" &&"
        f" dmsetup resume {FAILING}")


def let_it_fail():
    """Writes fail, until there are too many. Then what can be read leaves the device."""
    # It fails after five seconds of errors, and for half a second after some errors the
    # other device takes what is written. So there must be something left to write.
    write("/dev/kmsg", "log-check: expect [Ww]rite.error on|has faile[d], |I/O error\n")
    flaky("reload", f"flakey {disks[0]} 0 0 1 1 error_writes")
    soon("the device has failed", lambda: demote("1M") or read(TIERS + "/swap0/state") == "failed")
    soon("what can be read leaves it", lambda: read(TIERS + "/swap0/stored") == "0")


def run_recipe(recipes, name, disk_of, spare):
    r = recipes[name]
    if r.setup:
        run_recipe(recipes, r.setup, disk_of, spare)
        if swap_out(name):
            demote("16M")
        if name == "failed":
            let_it_fail()
    for device in r.devices:
        if device not in disk_of:
            disk_of[device] = spare.pop(0)
    for command in r.commands:
        for device, disk in disk_of.items():
            command = re.sub(re.escape(device) + r"(?![\w/-])", disk, command)
        if re.search(r"/dev/(sd|nvme|mmcblk|hd)", command):
            raise Failed("devices= does not have the device in: " + command)
        run(command)


def test_recipe(recipes, name):
    spare = list(disks)
    if name == "failed":
        flaky("create", f"linear {disks[0]} 0")
        run("dmsetup mknodes " + FAILING)
        spare[0] = "/dev/mapper/" + FAILING
    run_recipe(recipes, name, {}, spare)
    swap_out("after")
    data_is_right()


def test_now():
    if read("/proc/sys/vm/swap_abs") != "1" or not glob.glob(TIERS + "/swap*"):
        raise Failed("not so: the layer is on, and has a device")
    if not swap_out("now"):
        raise Failed("not so: something can be swapped out")
    demote("16M")
    data_is_right()


def reset(saved):
    """Put all back as it was before the recipe"""
    for file in data:
        os.unlink(file)
    data.clear()
    if os.path.exists("/sys/block/dm-0"):
        flaky("reload", f"linear {disks[0]} 0")
    for line in read("/proc/swaps").splitlines()[1:]:
        run("swapoff " + line.split()[0])
    run(f"! dmsetup info {FAILING} >/dev/null 2>&1 || dmsetup remove {FAILING}")
    write("/dev/kmsg", "log-check: expect nothing\n")
    run(f"find {CGROUP} -mindepth 1 -depth -type d -exec rmdir {{}} +")
    # The low watermark is never above the high one.
    for path, value in [(TIERS + "/zswap/low_watermark", 0)] + list(saved.items()):
        write(path, value)
    if os.listdir(TIERS) != ["zswap"]:
        raise Failed("not so: no tier is left but zswap")


def result(nr, name, *steps):
    """A line of TAP: each step is taken, and none may raise an exception"""
    good = True
    for step in steps:
        try:
            step()
        except (Failed, OSError, subprocess.SubprocessError, IndexError) as why:
            print(f"# {name}: {why}")
            os.system(f"grep -rs . {TIERS} | sed 's,{TIERS}/,#   ,'")
            good = False
    print(f"{'ok' if good else 'not ok'} {nr} - {name}", flush=True)
    return good


def main():
    args = sys.argv[1:]
    if args == ["--now"]:
        return not result(1, "what is set up now works", test_now)
    listing = args[:1] == ["--list"]
    recipes = read_guide(args[listing])
    names = args[listing + 1:] or list(recipes)
    if unknown := set(names) - set(recipes):
        sys.exit(f"no recipe named {unknown}")
    if listing:
        print("\n".join(command for name in names for command in recipes[name].commands))
        return 0
    if not os.environ.get("VM"):
        sys.exit("only in a guest: all swap is switched off")
    files = [ZSWAP + f for f in ("/enabled", "/compressor", "/max_pool_percent", "/shrinker_enabled")]
    files += [f"{TIERS}/zswap/{f}_watermark" for f in ("high", "low")]
    files += ["/proc/sys/vm/swap_abs", "/sys/kernel/tracing/events/swap_abs/enable"]
    saved = {f: read(f) for f in files}
    good = [result(nr, name, lambda: test_recipe(recipes, name), lambda: reset(saved))
            for nr, name in enumerate(names, 1)]
    print(f"1..{len(good)}")
    return not all(good)


if __name__ == "__main__":
    sys.exit(main())
