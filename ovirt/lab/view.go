package lab

import "time"

// View is the world as a bystander who sees both sites and the array would draw it (GET /world of the control API).
type View struct {
	Time       time.Time           `json:"time"`
	Sites      map[string]SiteView `json:"sites"`
	Arrays     ArraysView          `json:"arrays"`
	Disks      []DiskView          `json:"disks"`
	Violations []Violation         `json:"violations"`
}

// SiteView is one site.
type SiteView struct {
	Engine         string       `json:"engine"` // up or down
	Hosts          []HostView   `json:"hosts"`
	VMs            []VMView     `json:"vms"`
	StorageDomains []DomainView `json:"storage_domains"`
}

// HostView is a host.
type HostView struct {
	ID     string `json:"id"`
	Name   string `json:"name"`
	Status string `json:"status"`
	Power  string `json:"power"` // on or off
	// Stray names the VMs that QEMU runs there while the engine knows nothing of them.
	Stray []string `json:"stray,omitempty"`
}

// VMView is a VM of a site. StartedAt and UpAt belong to its last start and are nil before the first one that the lab saw.
type VMView struct {
	ID        string     `json:"id"`
	Name      string     `json:"name"`
	Status    string     `json:"status"`
	Running   bool       `json:"running"` // QEMU runs on a host, whatever the engine believes
	Host      string     `json:"host"`
	Cluster   string     `json:"cluster"`
	HA        bool       `json:"ha"`
	StartedAt *time.Time `json:"started_at"`
	UpAt      *time.Time `json:"up_at"`
	FQDN      string     `json:"fqdn,omitempty"`
	NICs      []NICView  `json:"nics"`
}

// NICView is a NIC with the names of what it is connected to; they are empty for a NIC without a profile.
type NICView struct {
	Name    string `json:"name"`
	MAC     string `json:"mac"`
	Network string `json:"network"`
	Profile string `json:"profile"`
}

// DomainView is a storage domain that an engine knows.
type DomainView struct {
	ID     string `json:"id"`
	Name   string `json:"name"`
	Status string `json:"status"`
	Master bool   `json:"master"`
	Export string `json:"export"`
	// Unregistered counts the VMs and templates of its OVF store that wait for registration.
	Unregistered int `json:"unregistered"`
}

// ArraysView is the storage.
type ArraysView struct {
	Exports      []ExportView      `json:"exports"`
	Replications []ReplicationView `json:"replications"`
}

// ExportView is an export with what lies on it.
type ExportView struct {
	Export   string     `json:"export"` // ADDRESS:PATH
	Site     string     `json:"site"`
	Online   bool       `json:"online"`
	Writable bool       `json:"writable"`
	DomainID string     `json:"domain_id,omitempty"`
	Domain   string     `json:"domain,omitempty"` // the name in the domain's own metadata
	Pool     string     `json:"pool,omitempty"`   // the data center that the domain's metadata names as its owner
	OVFTime  *time.Time `json:"ovf_time,omitempty"`
}

// ReplicationView is a pair of exports.
type ReplicationView struct {
	Domain string    `json:"domain"`
	Source string    `json:"source"`
	Target string    `json:"target"`
	State  string    `json:"state"` // replicating, stopped (an end went away) or split (promoted)
	Lag    string    `json:"lag"`
	AsOf   time.Time `json:"as_of"` // the newest write of the source that the target holds
}

// DiskView is a disk on one side, with the counter that its VM's guest keeps writing to it, once a second.
type DiskView struct {
	ID      string `json:"id"`
	VM      string `json:"vm"` // id
	Site    string `json:"site"`
	Counter int64  `json:"counter"`
}

// Violation is something that must never happen, seen by the monitor.
type Violation struct {
	Time    time.Time `json:"time"`
	Kind    string    `json:"kind"`
	Site    string    `json:"site"`
	Subject string    `json:"subject"` // id
	Text    string    `json:"text"`
}

// LogEntry is one request to one of the engines, in the order of arrival.
type LogEntry struct {
	N           int       `json:"n"` // from 1
	Time        time.Time `json:"time"`
	Site        string    `json:"site"`
	Method      string    `json:"method"`
	Path        string    `json:"path"`
	Query       string    `json:"query,omitempty"`
	Status      int       `json:"status"`           // 0: no answer was given (yet)
	Effect      string    `json:"effect,omitempty"` // what it did or began to do; "" for reads and refusals
	Correlation string    `json:"correlation,omitempty"`
	// Changing is true of each request below /api that is not a read (isattached is one, though a POST), whether the engine then did it or refused it.
	Changing bool `json:"changing,omitempty"`
}

// View returns the world as it is now.
func (l *Lab) View() View {
	l.lock()
	defer l.mu.Unlock()
	v := View{Time: l.now, Sites: map[string]SiteView{}, Disks: []DiskView{}, Violations: append([]Violation{}, l.violations...),
		Arrays: ArraysView{Exports: []ExportView{}, Replications: []ReplicationView{}}}
	for _, e := range l.engines {
		v.Sites[e.name] = e.view()
	}
	for _, x := range l.exports {
		found, count := l.content(x)
		o := ExportView{Export: x.String(), Site: x.Site, Online: x.online, Writable: x.writable}
		if found != nil {
			o.DomainID, o.Domain, o.Pool = found.id, found.name, found.pool
			if written := found.store.written; !written.IsZero() {
				o.OVFTime = &written
			}
			templates := map[string]bool{}
			for _, t := range found.store.templates {
				templates[t.id] = true
			}
			for _, i := range found.images {
				if i.owner != "" && !templates[i.owner] {
					v.Disks = append(v.Disks, DiskView{ID: i.disk, VM: i.owner, Site: x.Site, Counter: count(i.disk)})
				}
			}
		}
		v.Arrays.Exports = append(v.Arrays.Exports, o)
	}
	for _, p := range l.pairs {
		o := ReplicationView{Domain: p.domain, Source: p.source.String(), Target: p.target.String(), State: p.state, Lag: p.lag.String()}
		if o.AsOf = p.asOf(l.now); p.state == split {
			o.AsOf = p.promoted
		}
		v.Arrays.Replications = append(v.Arrays.Replications, o)
	}
	return v
}

func (e *engine) view() SiteView {
	s := SiteView{Engine: "down", Hosts: []HostView{}, VMs: []VMView{}, StorageDomains: []DomainView{}}
	if e.answers {
		s.Engine = "up"
	}
	for _, h := range e.hosts {
		status := h.status
		if !h.alive {
			status = "down"
		}
		o := HostView{ID: h.ID, Name: h.Name, Status: status, Power: "off"}
		if h.powered {
			o.Power = "on"
		}
		for _, v := range e.lab.strays {
			if v.host == h {
				o.Stray = append(o.Stray, v.name)
			}
		}
		s.Hosts = append(s.Hosts, o)
	}
	for _, v := range e.vms {
		o := VMView{ID: v.id, Name: v.name, Status: v.status, Running: v.running, Cluster: v.cluster.Name, HA: v.ha, NICs: []NICView{}}
		if v.host != nil {
			o.Host = v.host.Name
		}
		if !v.running && v.status == "unknown" { // the engine does not know it yet; a bystander does
			o.Status, o.Host = "down", ""
		}
		if t := v.startedAt; !t.IsZero() {
			o.StartedAt = &t
		}
		if t := v.upAt; !t.IsZero() {
			o.UpAt = &t
		}
		if v.agentUp {
			o.FQDN = v.fqdn
		}
		for _, n := range v.nics {
			network, profile := e.networkName(n.profileID)
			o.NICs = append(o.NICs, NICView{Name: n.name, MAC: n.mac, Network: network, Profile: profile})
		}
		s.VMs = append(s.VMs, o)
	}
	for _, d := range e.domains {
		s.StorageDomains = append(s.StorageDomains, DomainView{ID: d.id, Name: d.name, Status: d.status, Master: d.master,
			Export: d.export.String(), Unregistered: len(d.vms) + len(d.templates)})
	}
	return s
}
