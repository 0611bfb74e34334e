#!/usr/bin/env bash
# A job beside programs that write to its input and read its output, by the driver: it
# reads one state, and they see whole commits.
# shellcheck source=tests/support/testlib.sh
. "$(dirname "$0")/../support/testlib.sh"
# shellcheck source=tests/support/locklib.sh
. "$(dirname "$0")/../support/locklib.sh"
# shellcheck source=tests/support/jobstore.sh
. "$(dirname "$0")/../support/jobstore.sh"

mkdir "$tmp/work"
cd "$tmp/work"
export SWIM_CACHE_DIR=$tmp/cache SWIM_SERVER_IDLE_S=5
# shellcheck disable=SC2016 # it is known when the test ends
on_exit 'touch "$tmp/work/enough"' # for the programs beside
job_store_files

# A writer commits all the time; the result is that of one of its commits.
input_writer &
writer=$!
for ranks in 1 2 3; do
    commits=$(cat commits)
    expect_status 0 "$h5swim" run pair.yaml -n $ranks --readers 2 --quiet --overwrite
    during=$(($(cat commits) - commits))
    [ "$during" -ge 5 ] || fail "only $during commits during a job of $ranks ranks"
    one_state out.h5
    passed "$ranks ranks read one state beside $during commits"
done
touch enough
wait $writer || fail "the writer of the input"
rm enough
[ ! -e in.h5.swimlog ] || fail "a journal is left beside the input"

# Who reads the output meanwhile sees whole blocks, both outputs of each, and more and
# more of them.
rm -f reading
output_reader &
reader=$!
await test -e reading
NAP_MS=60 expect_status 0 "$h5swim" run pair.yaml -n 2 --readers 2 --quiet --overwrite
wait $reader || fail "the reader of the output saw what was not whole"
one_state out.h5
[ ! -e out.h5.swimlog ] || fail "a journal is left beside the output"
[ "$(cat states)" -ge 5 ] || fail "the reader saw only $(cat states) states"
passed "a reader saw $(cat states) states, all of whole commits"

# One that keeps it open for all of the job sees one state, and is not waited for.
"$h5swim" run pair.yaml --quiet --overwrite &
job=$!
reader_stays &
reader=$!
wait $job || fail "the job beside a reader that stays"
kill -0 $reader || fail "the reader has ended too early for this test"
touch enough
wait $reader || fail "the reader that stays saw another state"
one_state out.h5
passed "a reader that stays sees one state"
