module localcluster/instance

go 1.26.0
