error("set NETAPP first") --@ diag(lua-error, "error")
