#!/bin/sh
# Makes build/app for the backend that is going to be deployed, with the approval policy in it.
set -eu
cd "$(dirname "$0")/../.." # azd may start a hook in its own folder

./infra/hooks/approval-policy.sh
make package BACKEND="${CLOSURE_BACKEND:-azure-storage}"
cp infra/approval-policy.yaml build/app/approval-policy.yaml
