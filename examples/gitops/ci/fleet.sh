#!/usr/bin/env bash
# Shows or applies a folder of fleet manifests with plain kubectl: fleet.sh diff|apply FOLDER
# Exit status of diff: 0 nothing would change, 1 something would, 2 it cannot be told. Warnings say what a change sets off.
set -euo pipefail
step=${1:?"say diff or apply"} folder=${2:?"name a folder of manifests"}
kubectl=${KUBECTL:-kubectl}
manager=${FIELD_MANAGER:-fleet-ci}

case $step in
diff)
  # First what would be set off (machines made, stopped, destroyed; work affected), then the change field by field.
  "$kubectl" apply --server-side --field-manager="$manager" --dry-run=server -R -f "$folder" >/dev/null || exit 2
  code=0
  "$kubectl" diff --server-side --field-manager="$manager" -R -f "$folder" || code=$?
  [ "$code" -le 1 ] || exit 2
  exit "$code"
  ;;
apply)
  "$kubectl" apply --server-side --field-manager="$manager" -R -f "$folder"
  ;;
*)
  echo "Say diff or apply, not \"$step\"" >&2
  exit 2
  ;;
esac
