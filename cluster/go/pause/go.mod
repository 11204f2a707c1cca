module modelport.dev/cluster/pause

go 1.24.0
