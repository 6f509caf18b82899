package lab

// ID is the UUID that a name stands for wherever the lab makes one up: the same name gives the same id in every lab. The built-in
// world has, for example, ID("vm/vm1") and ID("primary/cluster").
func ID(name string) string { return uuidOf(name) }

// BlankID is the id of the template Blank, which every engine has.
const BlankID = blankID

// EveryoneID is the id of the group Everyone, which every engine has.
const EveryoneID = everyoneID

// PoolID is the id of the VM pool of that name in a site.
func PoolID(site, name string) string { return uuidOf(site + "/pool/" + name) }

// OwnUserID is the id of the user that a site is worked with, where the world has no user of that name in its directories.
func OwnUserID(username string) string { return uuidOf("user/" + username) }

// PredefinedRoles are the roles of every engine, without their permits.
func PredefinedRoles() []Role {
	var roles []Role
	for _, p := range predefinedRoles {
		roles = append(roles, predefinedRole(p.id).Role)
	}
	return roles
}

// Permits are the names of what a role may allow, in the engine's order.
func Permits() []string {
	var names []string
	for _, p := range permits {
		names = append(names, p.name)
	}
	return names
}
