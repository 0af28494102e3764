#!/bin/sh
# systemd/seccomp.json, held against programs that run under it: what ringcast needs works, what a
# container must not do is refused. Prints TAP.
#
#   seccomp_test.sh OUT      the output tree; from the top of the source tree, see the makefile
#
# The server itself runs under the profile when it has been built: an end-to-end test finds, in
# place of the programs, wrappers that put the profile round them.
set -u

out=$1
profile=systemd/seccomp.json
run=$out/tests/systemd/seccomp_run
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
n=0
failed=0

report() { # status name
	n=$((n + 1))
	if [ "$1" -eq 0 ]; then
		echo "ok $n - $2"
	else
		echo "not ok $n - $2"
		sed 's/^/# /' "$scratch/log"
		failed=1
	fi
}

works() { # name command...
	name=$1
	shift
	timeout 120 "$@" > "$scratch/log" 2>&1
	report $? "$name"
}

# Works outside, or the case would prove nothing, and does not inside.
refused() { # name command...
	name=$1
	shift
	if ! timeout 20 "$@" > "$scratch/log" 2>&1; then
		n=$((n + 1))
		echo "ok $n - $name # SKIP not possible here without the profile either"
		return
	fi
	! timeout 20 "$run" "$profile" "$@" > "$scratch/log" 2>&1
	report $? "$name"
}

says() { # name words command...
	name=$1
	words=$2
	shift 2
	timeout 20 "$@" > "$scratch/log" 2>&1
	grep -q -- "$words" "$scratch/log"
	report $? "$name"
}

works "profile names only system calls that exist" "$run" --check "$profile"
works "profile lets a shell start programs and wait for them" \
	"$run" "$profile" sh -c '(sleep 0.01 & wait) && ls / | wc -l && id -u'
for test in io backend epoll uring uring_pressure probe; do
	works "profile lets ${test}_test pass" "$run" "$profile" "$out/tests/unit/worker/${test}_test"
done
refused "profile refuses a new mount namespace" unshare -m true
refused "profile refuses a new user namespace" unshare -U true
refused "profile refuses to look at another process" strace -o /dev/null true
refused "profile refuses another root directory" chroot / true
says "without io_uring the worker's seam names the profile" "systemd/seccomp.json" \
	"$run" --deny-io-uring "$profile" "$out/tests/unit/worker/uring_test"

if [ -x "$out/ringcastd" ] && [ -x "$out/tests/e2e/delivery" ]; then
	mkdir "$scratch/bin"
	for program in ringcastd ringcast-worker ringcast; do
		printf '#!/bin/sh\nexec "%s" "%s" "%s" "$@"\n' \
			"$PWD/$run" "$PWD/$profile" "$PWD/$out/$program" > "$scratch/bin/$program"
		chmod +x "$scratch/bin/$program"
	done
	works "profile lets the server deliver" \
		env RINGCAST_BIN="$scratch/bin" E2E_SCALE=0.1 "$out/tests/e2e/delivery"
	sed -i 's/seccomp_run"/& --deny-io-uring/' "$scratch/bin"/*
	works "where a profile forbids io_uring, as Docker's does, the server finds epoll" \
		env RINGCAST_BIN="$scratch/bin" E2E_NO_IO_URING=1 "$out/tests/e2e/backends"
fi

echo "1..$n"
exit $failed
