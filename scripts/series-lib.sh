# shellcheck shell=bash
# Reading patches/: the order file, the patches' headers, the added files.
# Sourced by scripts/tree, scripts/refresh and scripts/series after lib.sh.

# Where files that the series adds may stand in this repository.
ADDED_DIRS='mm include Documentation tools'

# Fixed, so that the same input gives the same commits.
# shellcheck disable=SC2034
BASE_NAME='swap abstraction' BASE_EMAIL=swap-abs@localhost BASE_DATE=1767225600

# series_steps: the lines of patches/series without comments
series_steps() {
	[ ! -e "$TOP/patches/series" ] ||
		sed 's/[[:space:]]*#.*//; /^[[:space:]]*$/d' "$TOP/patches/series"
}

# added_files [PATH...]: the files that these paths of the repository stand for,
# sorted; a directory stands for everything in it that git does not ignore
added_files() {
	local p
	for p; do
		p=${p%/}
		if [ -d "$TOP/$p" ]; then
			if [ -e "$TOP/.git" ]; then
				git -C "$TOP" ls-files -co --exclude-standard -- "$p" |
					while read -r f; do [ ! -e "$TOP/$f" ] || echo "$f"; done
			else
				(cd "$TOP" && find "$p" -type f)
			fi
		elif [ -f "$TOP/$p" ]; then
			echo "$p"
		else
			die "patches/series names $p, which is not there"
		fi
	done | LC_ALL=C sort -u
	# die above ends only the pipe's subshell
	[ "${PIPESTATUS[0]}" = 0 ]
}

# all_added_files: everything in the repository that stands at an in-tree path
all_added_files() {
	local d
	for d in $ADDED_DIRS; do
		[ ! -d "$TOP/$d" ] || added_files "$d"
	done
}

# read_patch FILE: set P_NAME, P_EMAIL and P_MESSAGE (subject, blank line, body)
# from a patch in mail form
# shellcheck disable=SC2034 # used by those who source this
read_patch() {
	local from
	from=$(sed -n '/^$/q; s/^From: *//p' "$1" | head -n 1)
	if [[ $from =~ ^(.*[^ ])\ *\<([^>]*)\>$ ]]; then
		P_NAME=${BASH_REMATCH[1]} P_EMAIL=${BASH_REMATCH[2]}
	else
		die "$1: no line 'From: Name <address>'"
	fi
	P_MESSAGE=$(awk '
		/^---$/ || /^diff --git / { exit }
		body { print; next }
		/^$/ { body = 1; print subject; print ""; next }
		/^Subject: / { subject = substr($0, 10); on = 1; next }
		/^[ \t]/ && on { sub(/^[ \t]+/, " "); subject = subject $0; next }
		{ on = 0 }' "$1")
	[ -n "${P_MESSAGE%%$'\n'*}" ] || die "$1: no Subject"
}
