"""Models of H2O are asked by its own scorer, h2o-genmodel, on the JVM; alike in a converter's and in the server's image."""
