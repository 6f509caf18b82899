package lab

import (
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
)

// Target is an iSCSI target of an array.
type Target struct {
	Site string `json:"site"`
	Name string `json:"name"` // the IQN
	// Portals are ADDRESS:PORT, each of which is one path to the target.
	Portals []string `json:"portals"`
	// Username and Password are what CHAP asks an initiator for; without a user name anybody may log in.
	Username string `json:"username,omitempty"`
	Password string `json:"password,omitempty"`
}

// LUNSet is a group of LUNs of an array that is one thing to the array: it is presented to hosts, and replicated, as a whole. What lies
// on it is a volume group with a storage domain, what guests write to its LUNs as their disks, or nothing.
type LUNSet struct {
	Site string `json:"site"` // a disaster of this site takes it away
	// Name is what storage domains, replications, blind hosts and people call it. No export and no other set has it.
	Name   string `json:"name"`
	Type   string `json:"type"`             // iscsi or fcp
	Target string `json:"target,omitempty"` // iscsi: the IQN of the target behind which the LUNs are
	LUNs   []LUN  `json:"luns"`
	// Hosts are the names of the hosts to which the array presents the LUNs; none means all hosts of Site.
	Hosts []string `json:"hosts,omitempty"`
}

// LUN is a LUN of an array.
type LUN struct {
	ID      string `json:"id"` // the WWID, which a replica does not share with its source
	Serial  string `json:"serial,omitempty"`
	Vendor  string `json:"vendor,omitempty"`
	Product string `json:"product,omitempty"`
	Size    int64  `json:"size"`              // bytes; an engine counts in whole GiB
	Number  int    `json:"number"`            // by which hosts address it
	Paths   int    `json:"paths,omitempty"`   // fcp: 0 means 2; over iSCSI each session of a host is one
	Counter int64  `json:"counter,omitempty"` // what guests had written to it as their disk at the start
}

// lun is a LUN with its place.
type lun struct {
	LUN
	set *export
	at  int // its index in the set: a replica has the content of the source's LUN of the same index
}

// counterKey is the name of the counter that a guest increases which has the LUN as its disk.
func (u *lun) counterKey() string { return "lun/" + strconv.Itoa(u.at) }

type target struct {
	Target
	portals []portal
}

type portal struct {
	address string
	port    int
	group   int
}

// accepts reports whether CHAP lets an initiator in that says this.
func (t *target) accepts(username, password string) bool {
	return t.Username == "" || t.Username == username && t.Password == password
}

// Storage types, as the API spells them.
const (
	kindNFS     = "nfs"
	kindGluster = "glusterfs"
	kindPOSIX   = "posixfs"
	kindISCSI   = "iscsi"
	kindFCP     = "fcp"
)

// block reports whether what lies there is reached as LUNs.
func (x *export) block() bool { return x.Type == kindISCSI || x.Type == kindFCP }

// buildLUNs adds the targets and LUN sets of a world to the exports.
func (l *Lab) buildLUNs(w World) {
	for _, spec := range w.Targets {
		t := &target{Target: spec}
		for i, s := range spec.Portals {
			address, port, _ := splitPortal(s)
			t.portals = append(t.portals, portal{address: address, port: port, group: i + 1})
		}
		l.targets = append(l.targets, t)
	}
	for _, s := range w.LUNSets {
		x := &export{Export: Export{Site: s.Site, Path: s.Name, Type: s.Type}, online: true, writable: true, presented: s.Hosts,
			target: find(l.targets, func(t *target) bool { return t.Name == s.Target })}
		for i, spec := range s.LUNs {
			x.Size += spec.Size
			x.luns = append(x.luns, &lun{LUN: spec, set: x, at: i})
		}
		l.exports = append(l.exports, x)
	}
}

// buildRaw writes to the LUNs what guests had written to them before the world began.
func (l *Lab) buildRaw() {
	for _, x := range l.exports {
		for _, u := range x.luns {
			if u.Counter > 0 {
				l.raw(u).counter(u.counterKey()).base = u.Counter
			}
		}
	}
}

// raw is the copy that holds what guests write to a LUN that is their disk.
func (l *Lab) raw(u *lun) *domainCopy {
	if u.set.copy == nil {
		u.set.copy = newCopy(l.now, &contents{}, l.lagOf(u.set))
	}
	return u.set.copy
}

// written is what guests have written to a LUN as their disk; 0 means never.
func (l *Lab) written(u *lun) int64 {
	_, count := l.content(u.set)
	return count(u.counterKey())
}

// lun finds a LUN by its WWID, or nil.
func (l *Lab) lun(id string) *lun {
	for _, x := range l.exports {
		for _, u := range x.luns {
			if u.ID == id {
				return u
			}
		}
	}
	return nil
}

// target finds a target by its name, or nil.
func (l *Lab) target(name string) *target {
	return find(l.targets, func(t *target) bool { return t.Name == name })
}

// splitPortal takes ADDRESS:PORT apart.
func splitPortal(s string) (address string, port int, err error) {
	address, number, err := net.SplitHostPort(s)
	if err != nil {
		return "", 0, fmt.Errorf("portal %q is not ADDRESS:PORT", s)
	}
	if port, err = strconv.Atoi(number); err != nil || port <= 0 || port > 65535 {
		return "", 0, fmt.Errorf("portal %q has no port", s)
	}
	return address, port, nil
}

// isPresented reports whether an array lets a host see a LUN set.
func (x *export) isPresented(h *host) bool {
	if len(x.presented) == 0 {
		return h.site == x.Site
	}
	return slices.Contains(x.presented, h.Name)
}

// volumeGroupID is the id that LVM gave to the volume group of a storage domain. A replica has the same one.
func volumeGroupID(domainID string) string {
	s := strings.ReplaceAll(uuidOf("vg/"+domainID), "-", "")
	return s[:6] + "-" + s[6:10] + "-" + s[10:14] + "-" + s[14:18] + "-" + s[18:22] + "-" + s[22:26] + "-" + s[26:32]
}

// volumes returns the LUNs on which a volume group lies: those of the set that its metadata lists, or all.
func (x *export) volumes(c *contents) []*lun {
	if c == nil || len(c.volumes) == 0 {
		return x.luns
	}
	var list []*lun
	for _, u := range x.luns {
		if slices.Contains(c.volumes, u.at) {
			list = append(list, u)
		}
	}
	return list
}

// checkLUNs reports the first thing about targets and LUN sets that cannot be, and adds the sets to what replications and storage
// domains may name.
func (w *World) checkLUNs(exports map[string]bool) error {
	targets := map[string]bool{}
	for _, t := range w.Targets {
		if _, ok := w.Site(t.Site); !ok {
			return fmt.Errorf("target %s names no site: %q", t.Name, t.Site)
		}
		if t.Name == "" || targets[t.Name] {
			return fmt.Errorf("target %q has no name or one that is used twice", t.Name)
		}
		targets[t.Name] = true
		if len(t.Portals) == 0 {
			return fmt.Errorf("target %s has no portal", t.Name)
		}
		for _, p := range t.Portals {
			if _, _, err := splitPortal(p); err != nil {
				return fmt.Errorf("target %s: %w", t.Name, err)
			}
		}
		if t.Username == "" && t.Password != "" {
			return fmt.Errorf("target %s has a password and no username", t.Name)
		}
	}
	ids := map[string]bool{}
	for _, s := range w.LUNSets {
		site, ok := w.Site(s.Site)
		switch {
		case !ok:
			return fmt.Errorf("LUN set %s names no site: %q", s.Name, s.Site)
		case s.Name == "" || exports[s.Name]:
			return fmt.Errorf("LUN set %q has no name or one that is used twice", s.Name)
		case s.Type != kindISCSI && s.Type != kindFCP:
			return fmt.Errorf("LUN set %s: type is iscsi or fcp, not %q", s.Name, s.Type)
		case s.Type == kindISCSI && !targets[s.Target]:
			return fmt.Errorf("LUN set %s: no target %q", s.Name, s.Target)
		case s.Type == kindFCP && s.Target != "":
			return fmt.Errorf("LUN set %s: a target is of iscsi, not of fcp", s.Name)
		case len(s.LUNs) == 0:
			return fmt.Errorf("LUN set %s has no LUNs", s.Name)
		}
		exports[s.Name] = true
		for _, u := range s.LUNs {
			if u.ID == "" || ids[u.ID] {
				return fmt.Errorf("LUN set %s: the id %q of a LUN is empty or used twice", s.Name, u.ID)
			}
			ids[u.ID] = true
		}
		for _, name := range s.Hosts {
			if !slices.ContainsFunc(w.Sites, func(o Site) bool {
				return slices.ContainsFunc(o.Hosts, func(h Host) bool { return h.Name == name })
			}) {
				return fmt.Errorf("LUN set %s of site %s: no host %q", s.Name, site.Name, name)
			}
		}
	}
	return nil
}

// checkPairs reports a replication between things that are not of a kind.
func (w *World) checkPairs() error {
	luns := map[string]int{}
	kinds := map[string]string{}
	for _, e := range w.Exports {
		kinds[e.name()] = e.Type
	}
	for _, s := range w.LUNSets {
		kinds[s.Name], luns[s.Name] = s.Type, len(s.LUNs)
	}
	for _, r := range w.Replications {
		switch {
		case (luns[r.Source] > 0) != (luns[r.Target] > 0):
			return fmt.Errorf("replication of %q: %s holds LUNs and %s does not, or the other way about", r.Domain, r.Source, r.Target)
		case luns[r.Source] != luns[r.Target]:
			return fmt.Errorf("replication of %q: %s has %d LUNs and %s has %d", r.Domain, r.Source, luns[r.Source], r.Target, luns[r.Target])
		case luns[r.Source] == 0 && kinds[r.Source] != kinds[r.Target]:
			return fmt.Errorf("replication of %q: %s is %s and %s is %s", r.Domain, r.Source, kinds[r.Source], r.Target, kinds[r.Target])
		}
	}
	return nil
}
