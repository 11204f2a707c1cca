"""H2O's own scorer, h2o-genmodel on the JVM, serves what H2O exported for it."""

from modelport.conversion.base import Runtime

RUNTIME = Runtime("h2o", "H2O genmodel", ("h2o-mojo", "h2o-pojo"), packages=("openjdk-17-jre-headless",))
