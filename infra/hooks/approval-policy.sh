#!/bin/sh
# Refuses to go on without the approval policy: deployed without it the program starts no closure, and with a sample the
# wrong people would decide.
set -eu
cd "$(dirname "$0")/../.." # azd may start a hook in its own folder

if [ ! -s infra/approval-policy.yaml ]; then
  echo "infra/approval-policy.yaml is missing: write down who may approve (docs/settings.md, The approval policy)." >&2
  exit 1
fi
