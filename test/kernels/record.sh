#!/bin/sh
# Records the kernel of this machine for the plans of test/unit/recorded-plans.test.ts: applies shop.yaml, changes a limit
# by hand, records, destroys. Wanted again when a plan asks what it did not ask before ("was not asked for"):
#   sudo test/kernels/record.sh > test/kernels/hybrid.kernel     on a machine with hybrid cgroups
#   node scripts/guest.mjs --command 'sh test/kernels/record.sh' for the unified one: take out what is between its lines
# and then UPDATE=1 node scripts/test.mjs unit --filter recorded-plans.
set -e
here=$(cd "$(dirname "$0")" && pwd)
tsbox=$here/../../dist/tsbox
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp "$here/shop.yaml" "$work"
cd "$work"
"$tsbox" apply -q -y -f shop.yaml >&2
for file in /sys/fs/cgroup/pids/tsbox/shop/tenants/pids.max /sys/fs/cgroup/tsbox/shop/tenants/pids.max; do
  [ ! -e "$file" ] || echo 150 >"$file"
done
"$tsbox" plan -f shop.yaml --record-kernel shop.kernel >&2
"$tsbox" destroy -q -y --volumes -f shop.yaml >&2
cat shop.kernel
