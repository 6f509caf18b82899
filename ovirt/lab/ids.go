package lab

// ID is the UUID that a name stands for wherever the lab makes one up: the same name gives the same id in every lab. The built-in
// world has, for example, ID("vm/vm1") and ID("primary/cluster").
func ID(name string) string { return uuidOf(name) }

// BlankID is the id of the template Blank, which every engine has.
const BlankID = blankID
