module goprober

go 1.24
