#!/bin/sh
# Makes the key that seals the Records, once: 32 random bytes, put into the vault through Azure Resource Manager. Whoever
# deploys needs no right to read secrets, and the key is in no parameter, output, log or command line. A key that is there
# is left alone: a second one would be a second version, which is how keys are changed (docs/audit.md).
set -eu

: "${CLOSURE_VAULT_ID:?CLOSURE_VAULT_ID is missing: run azd provision first}"
url="${CLOSURE_VAULT_ID}/secrets/closure-seal?api-version=2023-07-01"

if said=$(az rest --method get --url "$url" --query name --output tsv 2>&1); then
  echo "The seal key is there; it stays as it is."
  exit 0
fi
case "$said" in
  *ResourceNotFound* | *SecretNotFound* | *"Not Found"*) ;;
  *)
    echo "Could not tell whether the seal key is there, so none was made: $said" >&2
    exit 1
    ;;
esac

umask 077
body=$(mktemp)
trap 'rm -f "$body"' EXIT
printf '{"properties":{"value":"%s"}}' "$(openssl rand -hex 32)" > "$body"
az rest --method put --url "$url" --body "@$body" --headers Content-Type=application/json --output none
echo "The seal key was made."
