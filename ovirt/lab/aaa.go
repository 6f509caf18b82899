package lab

import (
	"encoding/hex"
	"slices"
	"strings"
)

// ownDomain is the authorization provider that every engine has.
const ownDomain = "internal-authz"

// directory is an AAA domain: the users and groups that its provider knows. Those that were added are in the engine's database too.
type directory struct {
	name   string
	users  []*user
	groups []*userGroup
}

type user struct {
	DirectoryUser
	domain string
}

type userGroup struct {
	DirectoryGroup
	domain string // "" for Everyone, which is in no directory
}

// directoryID is the id of a domain, and of what is in it: the hexadecimal digits of its name (ovirt-engine DirectoryEntryIdUtils).
func directoryID(name string) string { return strings.ToUpper(hex.EncodeToString([]byte(name))) }

// ownLogin is the login of the user that the world gives the site, without the profile that he logs in with.
func (e *engine) ownLogin() string {
	if at := strings.LastIndex(e.spec.Username, "@"); at >= 0 {
		return e.spec.Username[:at]
	}
	return e.spec.Username
}

// userName is the engine's user as its messages name him: by authorization provider, not by profile.
func (e *engine) userName() string { return e.ownLogin() + "@" + ownDomain }

func (e *engine) buildDirectories(spec Site) {
	own := &directory{name: ownDomain}
	e.directories = []*directory{own}
	named := map[string]bool{}
	for _, p := range spec.Permissions {
		named[p.UserID] = true
	}
	for _, d := range spec.AAADomains {
		into := own
		if d.Name != ownDomain {
			into = &directory{name: d.Name}
			e.directories = append(e.directories, into)
		}
		for _, u := range d.Users {
			u.Groups, u.Added = slices.Clone(u.Groups), u.Added || named[u.ID]
			into.users = append(into.users, &user{u, d.Name})
		}
		for _, g := range d.Groups {
			g.Added = g.Added || named[g.ID]
			into.groups = append(into.groups, &userGroup{g, d.Name})
		}
	}
	if u := find(own.users, func(u *user) bool { return u.Login == e.ownLogin() }); u != nil {
		u.Added = true
	} else {
		own.users = slices.Insert(own.users, 0, &user{DirectoryUser{ID: OwnUserID(spec.Username), Login: e.ownLogin(), Namespace: "*",
			FirstName: "admin", Email: "root@localhost", Added: true}, ownDomain})
	}
	everyone := []Permission{
		{ID: "00000004-0004-0004-0004-000000000355", UserID: everyoneID, RoleID: "def00009-0000-0000-0000-def000000009", Object: "template", ObjectID: blankID},
		{ID: "58ca605c-010d-0307-0224-0000000001a9", UserID: everyoneID, RoleID: "def00021-0000-0000-0000-def000000015", Object: "system"},
	}
	e.permissions = append(e.permissions, clones(everyone)...)
}

// ownUser is the user of the world's site, as whom every session works.
func (e *engine) ownUser() *user {
	return find(e.directories[0].users, func(u *user) bool { return u.Login == e.ownLogin() })
}

// directory returns a domain by name, or nil.
func (e *engine) directory(name string) *directory {
	return find(e.directories, func(d *directory) bool { return d.name == name })
}

// users returns those in the engine's database.
func (e *engine) users() []*user {
	var list []*user
	for _, d := range e.directories {
		for _, u := range d.users {
			if u.Added {
				list = append(list, u)
			}
		}
	}
	return list
}

// userGroups returns those in the engine's database: always Everyone.
func (e *engine) userGroups() []*userGroup {
	list := []*userGroup{{DirectoryGroup{ID: everyoneID, Name: "Everyone", Namespace: "*", Added: true}, ""}}
	for _, d := range e.directories {
		for _, g := range d.groups {
			if g.Added {
				list = append(list, g)
			}
		}
	}
	return list
}

// user returns a user of the database, or nil; userGroup likewise.
func (e *engine) user(id string) *user {
	return find(e.users(), func(u *user) bool { return strings.EqualFold(u.ID, id) })
}
func (e *engine) userGroup(id string) *userGroup {
	return find(e.userGroups(), func(g *userGroup) bool { return strings.EqualFold(g.ID, id) })
}

// userNamed returns a user of any directory by the login of a domain (LOGIN@DOMAIN), added or not; nil when there is none.
func (e *engine) userNamed(login, domain string) *user {
	if d := e.directory(domain); d != nil {
		return find(d.users, func(u *user) bool { return u.Login == login })
	}
	return nil
}

func domainOf(x *xmlWriter, name string) {
	if name != "" {
		x.open("domain", "href", apiRoot+"/domains/"+directoryID(name), "id", directoryID(name))
		x.text("name", name)
		x.close("domain")
	}
}

func writeGroupNames(x *xmlWriter, names []string) {
	if len(names) == 0 {
		return
	}
	x.open("groups")
	for _, name := range names {
		x.open("group")
		x.text("name", name)
		x.close("group")
	}
	x.close("groups")
}

// writeUser is a user of the database (ovirt-engine UserMapper).
func writeUser(x *xmlWriter, u *user) {
	href := apiRoot + "/users/" + u.ID
	x.open("user", "href", href, "id", u.ID)
	x.text("name", u.FirstName)
	x.links(href, "eventsubscriptions", "groups", "options", "permissions", "roles", "sshpublickeys", "tags")
	x.text("department", u.Department)
	x.text("domain_entry_id", directoryID(u.ID))
	x.text("email", u.Email)
	x.text("last_name", u.LastName)
	x.text("namespace", u.Namespace)
	x.text("principal", u.Login)
	x.text("user_name", u.Login+"@"+u.domain)
	domainOf(x, u.domain)
	writeGroupNames(x, u.Groups)
	x.close("user")
}

func writeUserGroup(x *xmlWriter, g *userGroup) {
	href := apiRoot + "/groups/" + g.ID
	x.open("group", "href", href, "id", g.ID)
	x.text("name", g.Name)
	x.links(href, "permissions", "roles", "tags")
	x.text("domain_entry_id", directoryID(g.ID))
	x.text("namespace", g.Namespace)
	domainOf(x, g.domain)
	x.close("group")
}

var userSearch = &searchSpec[*user]{
	fields: map[string]searchField[*user]{
		"name":       text(func(u *user) string { return u.FirstName }),
		"lastname":   text(func(u *user) string { return u.LastName }),
		"usrname":    text(func(u *user) string { return u.Login + "@" + u.domain }),
		"login":      text(func(u *user) string { return u.Login }),
		"directory":  text(func(u *user) string { return u.domain }),
		"department": text(func(u *user) string { return u.Department }),
		"title":      text(func(u *user) string { return "" }),
	},
}

var groupSearch = &searchSpec[*userGroup]{
	fields: map[string]searchField[*userGroup]{"name": text(func(g *userGroup) string { return g.Name }), "grpname": text(func(g *userGroup) string { return g.Name })},
}

func (c *call) routeUsers(s []string) *reply {
	return serve(c, s, rest[*user]{root: "users", all: c.engine.users(), id: func(u *user) string { return u.ID }, write: writeUser, search: userSearch,
		add: c.postUser, remove: c.deleteUser,
		sub: func(u *user, s []string) *reply {
			switch s[0] {
			case "permissions":
				return c.routePermissions(permissionPlace{kind: "user", collection: "users", id: u.ID}, s[1:])
			case "roles":
				return c.routeAssignedRoles(u.ID, s[1:])
			case "groups":
				if len(s) == 1 {
					x := newXML("groups")
					for _, name := range u.Groups {
						if g := find(c.engine.directory(u.domain).groups, func(g *userGroup) bool { return g.Name == name }); g != nil {
							writeDomainGroup(x, g)
						}
					}
					return x.reply(200)
				}
			case "tags", "eventsubscriptions", "options", "sshpublickeys":
				return c.noneYet(s)
			}
			return nil
		}})
}

// noneYet answers the list of a sub-collection that has nothing.
func (c *call) noneYet(s []string) *reply {
	root := map[string]string{"tags": "tags", "eventsubscriptions": "event_subscriptions", "options": "user_options", "sshpublickeys": "ssh_public_keys"}[s[0]]
	if len(s) > 1 || root == "" || c.req.Method != "GET" {
		return nil
	}
	return newXML(root).reply(200)
}

func (c *call) routeUserGroups(s []string) *reply {
	return serve(c, s, rest[*userGroup]{root: "groups", all: c.engine.userGroups(), id: func(g *userGroup) string { return g.ID }, write: writeUserGroup,
		search: groupSearch, add: c.postUserGroup, remove: c.deleteUserGroup,
		sub: func(g *userGroup, s []string) *reply {
			switch s[0] {
			case "permissions":
				return c.routePermissions(permissionPlace{kind: "group", collection: "groups", id: g.ID}, s[1:])
			case "roles":
				return c.routeAssignedRoles(g.ID, s[1:])
			case "tags":
				return c.noneYet(s)
			}
			return nil
		}})
}

// namedDomain finds the domain that a request names as part of a name or as domain.
func (c *call) namedDomain(doc *node, name string) (domain string, r *refusal) {
	e, d := c.engine, doc.child("domain")
	switch {
	case d.value("name") != "":
		return d.value("name"), nil
	case d.attr("id") != "":
		for _, known := range e.directories {
			if directoryID(known.name) == d.attr("id") {
				return known.name, nil
			}
		}
		return "", &refusal{status: 400, detail: "Domain: '" + d.attr("id") + "' does not exist.", bare: true}
	}
	for _, known := range e.directories {
		if strings.HasSuffix(name, "@"+known.name) {
			return known.name, nil
		}
	}
	return "", nil
}

// newcomer reads the name and the directory of a user or group to be added. The engine calls the member with the name property.
func (c *call) newcomer(element, kind, member, property string) (doc *node, name, domain string, r *refusal) {
	if doc, r = c.parse(element); r != nil {
		return nil, "", "", r
	}
	if name = doc.value(member); name == "" {
		return nil, "", "", incomplete(kind, property, "add")
	}
	if domain, r = c.namedDomain(doc, name); r == nil && domain == "" {
		r = incomplete(kind, "domain.id|name", "add")
	}
	return doc, name, domain, r
}

// plain is an answer that the REST layer gives as bare text.
func plain(status int, body string) *reply {
	return &reply{status: status, contentType: "application/xml;charset=UTF-8", body: []byte(body)}
}

// postUser adds a user of a directory to the database (ovirt-engine BackendUsersResource.add, AddUserCommand).
func (c *call) postUser() *reply {
	doc, name, domain, r := c.newcomer("user", "User", "user_name", "userName")
	if r != nil {
		return c.refuse(r)
	}
	u := c.engine.userNamed(strings.TrimSuffix(name, "@"+domain), domain)
	if p := doc.value("principal"); p != "" {
		u = c.engine.userNamed(p, domain)
	}
	if u == nil {
		return plain(400, "No such user: "+name+" in domain "+domain)
	}
	u.Added = true
	c.effect("add user %s", u.Login)
	c.audit(eventUserAdded, "User '%s' was added successfully to the system.", u.Login)
	return c.created("/users/"+u.ID, func(x *xmlWriter) { writeUser(x, u) })
}

// deleteUser takes a user, with his permissions, out of the database (ovirt-engine RemoveUserCommand).
func (c *call) deleteUser(u *user) *reply {
	e := c.engine
	if u == e.ownUser() {
		return c.refuse(conflict("Cannot remove User. User is currently logged in."))
	}
	u.Added = false
	e.permissions = slices.DeleteFunc(e.permissions, func(p *Permission) bool { return p.UserID == u.ID })
	c.effect("delete user %s", u.Login)
	c.audit(eventUserRemoved, "User %s was removed by %s.", u.Login, e.userName())
	return c.actionDone(nil, nil)
}

func (c *call) postUserGroup() *reply {
	_, name, domain, r := c.newcomer("group", "Group", "name", "name")
	if r != nil {
		return c.refuse(r)
	}
	var g *userGroup
	if d := c.engine.directory(domain); d != nil {
		g = find(d.groups, func(g *userGroup) bool { return g.Name == strings.TrimSuffix(name, "@"+domain) })
	}
	if g == nil {
		return plain(400, "No such group: "+name+" in directory "+domain)
	}
	g.Added = true
	c.effect("add group %s", g.Name)
	c.audit(eventUserAdded, "User '%s' was added successfully to the system.", g.Name)
	return c.created("/groups/"+g.ID, func(x *xmlWriter) { writeUserGroup(x, g) })
}

// deleteUserGroup is ovirt-engine RemoveGroupCommand.
func (c *call) deleteUserGroup(g *userGroup) *reply {
	e := c.engine
	if g.ID == everyoneID {
		return c.refuse(conflict(`Cannot remove the built-in group "Everyone".`))
	}
	g.Added = false
	e.permissions = slices.DeleteFunc(e.permissions, func(p *Permission) bool { return p.UserID == g.ID })
	c.effect("delete group %s", g.Name)
	c.audit(eventGroupRemoved, "Group %s was removed by %s.", g.Name, e.userName())
	return c.actionDone(nil, nil)
}

func writeDirectory(x *xmlWriter, d *directory) {
	id := directoryID(d.name)
	href := apiRoot + "/domains/" + id
	x.open("domain", "href", href, "id", id)
	x.text("name", d.name)
	x.links(href, "groups", "users")
	x.link(href+"/groups?search={query}", "groups/search")
	x.link(href+"/users?search={query}", "users/search")
	x.close("domain")
}

// writeDomainUser is a user as his directory knows him: by the id of the directory, whether or not he was added.
func writeDomainUser(x *xmlWriter, u *user) {
	id := directoryID(u.ID)
	x.open("user", "href", apiRoot+"/domains/"+directoryID(u.domain)+"/users/"+id, "id", id)
	x.text("name", u.FirstName)
	x.text("department", u.Department)
	x.text("email", u.Email)
	x.text("last_name", u.LastName)
	x.text("namespace", u.Namespace)
	x.text("principal", u.Login)
	x.text("user_name", u.Login+"@"+u.domain)
	domainOf(x, u.domain)
	writeGroupNames(x, u.Groups)
	x.close("user")
}

func writeDomainGroup(x *xmlWriter, g *userGroup) {
	id := directoryID(g.ID)
	x.open("group", "href", apiRoot+"/domains/"+directoryID(g.domain)+"/groups/"+id, "id", id)
	x.text("name", g.Name)
	x.text("namespace", g.Namespace)
	domainOf(x, g.domain)
	x.close("group")
}

// routeDomainsAAA serves the directories, which the engine cannot change. Their search is the provider's, of which the lab has the
// two forms that tools use: username=… and allnames=….
func (c *call) routeDirectories(s []string) *reply {
	return serve(c, s, rest[*directory]{root: "domains", all: c.engine.directories, id: func(d *directory) string { return directoryID(d.name) },
		write: writeDirectory,
		sub: func(d *directory, s []string) *reply {
			match := c.directoryMatch()
			switch s[0] {
			case "users":
				of := d.users
				if len(s) == 1 {
					of = slices.DeleteFunc(slices.Clone(of), func(u *user) bool {
						return !match("username", u.Login, u.Login+"@"+u.domain) && !match("allnames", u.Login, u.FirstName, u.LastName)
					})
				}
				return serve(c, s[1:], rest[*user]{root: "users", all: of, id: func(u *user) string { return directoryID(u.ID) }, write: writeDomainUser})
			case "groups":
				of := d.groups
				if len(s) == 1 {
					of = slices.DeleteFunc(slices.Clone(of), func(g *userGroup) bool { return !match("name", g.Name) && !match("allnames", g.Name) })
				}
				return serve(c, s[1:], rest[*userGroup]{root: "groups", all: of, id: func(g *userGroup) string { return directoryID(g.ID) }, write: writeDomainGroup})
			}
			return nil
		}})
}

// directoryMatch reads the search of a directory: one field and a pattern; without one everything matches.
func (c *call) directoryMatch() func(field string, values ...string) bool {
	want, value, ok := strings.Cut(c.params.Get("search"), "=")
	if !ok {
		value = "*"
	}
	want = strings.ToLower(strings.TrimSpace(want))
	match := pattern(strings.Trim(strings.TrimSpace(value), `"`), true)
	return func(field string, values ...string) bool {
		return (!ok || want == field) && slices.ContainsFunc(values, match)
	}
}
