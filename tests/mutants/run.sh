#!/usr/bin/env bash
# Shows that the tests of the shared memory can fail: breaks one step at a time and expects a failure each time.
#
#	tests/mutants/run.sh OUT [NAME...]      from the top of the tree, after the programs in OUT were built
#
# The models take their broken versions as an argument. For the real code a sed script makes a broken copy of one file of
# shm/; its head names the file, what it breaks, and which tests must notice (one of them, in this order). A script that
# changes nothing has lost its place in the code: a failure, too. Prints TAP.
set -u

out=${1:?usage: tests/mutants/run.sh OUT [NAME...]}
shift
cc=${CC:-gcc}
work=$(mktemp -d "$out/mutants.XXXXXX") || exit 2
trap 'rm -rf "$work"' EXIT
flags=(-std=c17 -D_GNU_SOURCE -I. -O1 -w)
tasks=0

# A line of the task in hand; numbered when all are done.
tell() {
	echo "$1 - $2"
}

# task COMMAND...: in the background, as many at once as there are cores.
task() {
	while [[ $(jobs -pr | wc -l) -ge $(nproc) ]]; do
		wait -n
	done
	tasks=$((tasks + 1))
	"$@" >"$work/task.$tasks" &
}

# What the tasks said, in the order in which they began.
report() {
	wait
	for ((task = 1; task <= tasks; task++)); do
		cat "$work/task.$task"
	done | awk '
		/^(not )?ok - / { sub(/ok -/, "ok " (++number) " -"); failed += /^not/ }
		{ print }
		END {
			print "1.." number
			exit failed > 0
		}'
}

# Whoever was asked for by name, or everybody.
wanted() {
	local name

	[[ ${#names[@]} -eq 0 ]] && return
	for name in "${names[@]}"; do
		[[ $name == "$1" ]] && return
	done
	return 1
}
names=("$@")

# object SOURCE OUTPUT [FLAG...]: compiles as the tree does for a release.
object() {
	local source=$1 output=$2

	shift 2
	"$cc" "${flags[@]}" "$@" -c -o "$output" "$source"
}

# link TEST DIR: a test program with the objects in DIR before the rest of shm.
link() {
	local test=$1 dir=$2 seam seams=()

	case $test in
	ring_adopt)
		for seam in "$work"/seam/*.o; do
			[[ -e $dir/seam/${seam##*/} ]] || seams+=("$seam")
		done
		"$cc" -o "$dir/$test" "$work/$test.o" "$dir"/seam/*.o "${seams[@]}"
		;;
	*_test) "$cc" -o "$dir/$test" "$work/$test.o" "$dir"/*.o "$work/libshm.a" -lcmocka ;;
	*) "$cc" -o "$dir/$test" "$work/$test.o" "$dir"/*.o "$work/libshm.a" -lpthread ;;
	esac
}

run() {
	local seconds=$1 arguments=()

	[[ $2 != */ring_stress ]] || arguments=(2)
	timeout "$seconds" "$2" "${arguments[@]}" >"$2.log" 2>&1
}

prepare() {
	local source

	mkdir -p "$work/base" "$work/seam"
	for source in shm/*.c; do
		object "$source" "$work/base/$(basename "$source" .c).o" || return 1
		object "$source" "$work/seam/$(basename "$source" .c).o" -include tests/stress/seam.h || return 1
	done
	ar rcs "$work/libshm.a" "$work"/base/*.o
	for source in tests/unit/shm/*_test.c tests/stress/*.c; do
		object "$source" "$work/$(basename "$source" .c).o" || return 1
	done
}

# The tests themselves pass on the code as it is: the other half of the proof.
unbroken() {
	local test=$1 dir=$work/unbroken.$1

	mkdir -p "$dir/seam"
	cp "$work/base/ring_write.o" "$dir/"
	cp "$work/seam/ring_write.o" "$dir/seam/"
	if link "$test" "$dir" && run 60 "$dir/$test"; then
		tell ok "unbroken $test passes"
	else
		sed 's/^/# /' "$dir/$test.log"
		tell "not ok" "unbroken $test passes"
	fi
}

mutant() {
	local script=$1 name file tests test dir source object extra

	name=$(basename "$script" .sed)
	file=$(sed -n 's/^# file: //p' "$script")
	tests=$(sed -n 's/^# fails: //p' "$script")
	dir=$work/$name
	mkdir -p "$dir/seam"
	sed -f "$script" "$file" >"$dir/$(basename "$file")"
	if cmp -s "$file" "$dir/$(basename "$file")"; then
		tell "not ok" "$name # the script changes nothing in $file"
		return
	fi
	for test in $tests; do
		source=$dir/$(basename "$file")
		object="$dir/$(basename "$file" .c).o"
		extra=()
		[[ $test != ring_adopt ]] || object=$dir/seam/${object##*/} extra=(-include tests/stress/seam.h)
		if ! object "$source" "$object" "${extra[@]}" || ! link "$test" "$dir"; then
			tell "not ok" "$name # does not compile"
			return
		fi
		if ! run 60 "$dir/$test"; then
			tell ok "$name # noticed by $test"
			rm -rf "$dir"
			return
		fi
	done
	tell "not ok" "$name # no test notices it: $tests"
}

# model NAME [BROKEN]: the model as it is, or one of its broken versions.
model() {
	local program=$out/tests/model/$1 log=$work/$1.${2:-unbroken}

	"$program" ${2:+"$2"} >"$log"
	case $? in
	0) [[ $# -eq 1 ]] && tell ok "unbroken $1 passes" || tell "not ok" "$1 $2 # passes although broken" ;;
	1)
		if [[ $# -eq 2 ]] && ! grep -q 'tables are too small' "$log"; then
			tell ok "$1 $2"
		else
			tell "not ok" "$1 ${2:-unbroken} # fails: $(tail -n 1 "$log")"
		fi
		;;
	*) tell "not ok" "$1 ${2:-unbroken} # died" ;;
	esac
}

prepare || { echo "not ok 1 - the tests compile"; echo "1..1"; exit 1; }
if [[ ${#names[@]} -eq 0 ]]; then
	for test in ring_test board_test ring_oracle_test ring_adopt ring_stress doorbell_stress; do
		task unbroken "$test"
	done
fi
for program in ring_model doorbell_model; do
	task model "$program"
	for name in $("$out/tests/model/$program" --list); do
		wanted "$name" && task model "$program" "$name"
	done
done
for script in tests/mutants/shm/*.sed; do
	wanted "$(basename "$script" .sed)" && task mutant "$script"
done
report
