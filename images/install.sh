#!/bin/sh
# Install what the locks of an image name into /opt/modelport: install.sh NAME
#
# In /locks: NAME.txt; NAME-cpu.txt or NAME-cuda.txt, by which build of torch there is; NAME-build.txt, what packages that come
# as source are built with; NAME.PART.txt, what goes into a folder of its own, parts/PART; NAME.jars; NAME.without, files that packages bring and the image leaves out. In /packages: the
# programs for the last two. The CPU build of torch comes from a page that lists its wheels ($WHEELS), or from a folder that the
# builder mounts as /wheels; without either, the index's build is taken, with all of CUDA.
set -eu
name="$1"; target=/opt/modelport
build=cuda; wheels="${WHEELS:-}"
if ls /wheels/torch-*+cpu-*.whl >/dev/null 2>&1; then wheels=/wheels; fi
if [ -n "$wheels" ]; then build=cpu; fi
tools="/locks/$name-build.txt"; [ -f "$tools" ] || tools=""

python3 -m venv /tmp/uv
/tmp/uv/bin/pip install --quiet --no-cache-dir uv==0.13.9
python3 -m venv --without-pip "$target"
for lock in "/locks/$name.txt" "/locks/$name-$build.txt"; do
  [ -f "$lock" ] || continue
  /tmp/uv/bin/uv pip install --quiet --python "$target/bin/python" --no-deps --require-hashes --no-cache \
    --compile-bytecode ${wheels:+--find-links "$wheels"} ${tools:+--build-constraints "$tools"} --requirement "$lock"
done
for lock in "/locks/$name".*.txt; do
  [ -f "$lock" ] || continue
  part="$(basename "$lock" .txt)"
  /tmp/uv/bin/uv pip install --quiet --python "$target/bin/python" --no-deps --require-hashes --no-cache \
    --compile-bytecode --target "$target/parts/${part#"$name".}" --requirement "$lock"
done
rm -rf /tmp/uv
without="/locks/$name.without"; [ -f "$without" ] || without=""
for folder in "$target"/lib/python3.*/site-packages "$target"/parts; do
  [ ! -d "$folder" ] || python3 /packages/leaving_out.py "$folder" $without
  without=""
done
if [ -f "/locks/$name.jars" ]; then python3 /packages/jars.py "/locks/$name.jars" "$target/jars"; fi
