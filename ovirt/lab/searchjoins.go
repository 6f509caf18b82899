package lab

// joinedRows are the objects of a kind that an object is joined with when a search refers to them
// (ovirt-engine SearchObjectAutoCompleter.java, the joins). Kinds that the lab has no objects of give none.
func joinedRows(e *engine, v any, ref string) []row {
	switch v := v.(type) {
	case *vm:
		return e.rowsOfVM(v, ref)
	case *host:
		switch ref {
		case "vm":
			return rowsIn(e, vmSearch, e.vmsOn(v)...)
		case "template":
			return rowsIn(e, templateSearch, e.templatesOf(e.vmsOn(v))...)
		case "event":
			return rowsIn(e, eventSearch, e.eventsWhere(func(n *event) bool { return n.host == v.ID })...)
		case "storage":
			return rowsIn(e, domainSearch, e.attached(v.cluster.dc)...)
		}
	case *storageDomain:
		switch {
		case v.dc == nil:
		case ref == "host":
			return rowsIn(e, hostSearch, e.hostsIn(v.dc)...)
		case ref == "cluster":
			return rowsIn(e, clusterSearch, e.clustersIn(v.dc)...)
		}
	case *disk:
		switch ref {
		case "storage":
			return rowsIn(e, domainSearch, v.domains...)
		case "datacenter":
			var rows []row
			for _, d := range v.domains {
				if d.dc != nil {
					rows = append(rows, rowsIn(e, dcSearch, d.dc)...)
				}
			}
			return rows
		}
	case *dataCenter:
		switch ref {
		case "cluster":
			return rowsIn(e, clusterSearch, e.clustersIn(v)...)
		case "storage":
			return rowsIn(e, domainSearch, e.attached(v)...)
		case "network":
			return rowsIn(e, networkSearch, e.networksIn(v)...)
		}
	case *cluster:
		switch ref {
		case "datacenter":
			return rowsIn(e, dcSearch, v.dc)
		case "storage":
			return rowsIn(e, domainSearch, e.attached(v.dc)...)
		case "cluster_network":
			var rows []row
			for _, id := range v.NetworkIDs {
				rows = append(rows, rowOf("cluster_name", v.Name, "network_name", e.network(id).Name))
			}
			return rows
		}
	case *template:
		return e.rowsOfTemplate(v, ref)
	case *event:
		switch ref {
		case "vm":
			return rowsIn(e, vmSearch, oneOrNone(e.vm(v.vm))...)
		case "host":
			return rowsIn(e, hostSearch, oneOrNone(e.host(v.host))...)
		case "template":
			return rowsIn(e, templateSearch, oneOrNone(e.template(v.template))...)
		case "cluster":
			return rowsIn(e, clusterSearch, oneOrNone(e.cluster(v.cluster))...)
		case "user":
			if v.user != "" {
				return []row{rowOf("usrname", v.user, "login", v.user)}
			}
		}
	case *Network:
		return e.rowsOfNetwork(v, ref)
	}
	return nil
}

func (e *engine) rowsOfVM(v *vm, ref string) []row {
	switch ref {
	case "host":
		return rowsIn(e, hostSearch, oneOrNone(v.host)...)
	case "template":
		return rowsIn(e, templateSearch, oneOrNone(e.template(v.templateID))...)
	case "event":
		return rowsIn(e, eventSearch, e.eventsWhere(func(n *event) bool { return n.vm == v.id })...)
	case "storage":
		return rowsIn(e, domainSearch, vmDomains(v)...)
	case "vnic":
		var rows []row
		for _, k := range v.nics {
			network, _ := e.networkName(k.profileID)
			rows = append(rows, rowOf("mac", k.mac, "network_name", network))
		}
		return rows
	}
	return nil
}

func (e *engine) rowsOfTemplate(t *template, ref string) []row {
	var of []*vm
	for _, v := range e.vms {
		if v.templateID == t.ID {
			of = append(of, v)
		}
	}
	switch ref {
	case "vm":
		return rowsIn(e, vmSearch, of...)
	case "host":
		var hosts []*host
		for _, v := range of {
			hosts = append(hosts, oneOrNone(v.host)...)
		}
		return rowsIn(e, hostSearch, hosts...)
	case "event":
		return rowsIn(e, eventSearch, e.eventsWhere(func(n *event) bool { return n.template == t.ID })...)
	case "storage":
		var domains []*storageDomain
		for _, d := range t.disks {
			domains = append(domains, d.domains...)
		}
		return rowsIn(e, domainSearch, domains...)
	}
	return nil
}

func (e *engine) rowsOfNetwork(n *Network, ref string) []row {
	var rows []row
	for _, k := range e.clusters {
		for _, id := range k.NetworkIDs {
			switch {
			case id != n.ID:
			case ref == "cluster_network":
				rows = append(rows, rowOf("cluster_name", k.Name, "network_name", n.Name))
			case ref == "host_network":
				for _, h := range e.hosts {
					if h.cluster == k {
						rows = append(rows, rowOf("host_name", h.Name))
					}
				}
			}
		}
	}
	return rows
}

// rowOf is a row of columns and values.
func rowOf(pairs ...string) row {
	return func(column string) []string {
		for i := 0; i+1 < len(pairs); i += 2 {
			if pairs[i] == column && pairs[i+1] != "" {
				return pairs[i+1 : i+2]
			}
		}
		return nil
	}
}

// oneOrNone is a list of v, or of nothing where it is nil.
func oneOrNone[T any](v *T) []*T {
	if v == nil {
		return nil
	}
	return []*T{v}
}

func (e *engine) vmsOn(h *host) []*vm {
	return selected(e.vms, func(v *vm) bool { return v.host == h })
}

func (e *engine) hostsIn(dc *dataCenter) []*host {
	return selected(e.hosts, func(h *host) bool { return h.cluster.dc == dc })
}

func (e *engine) clustersIn(dc *dataCenter) []*cluster {
	return selected(e.clusters, func(k *cluster) bool { return k.dc == dc })
}

func (e *engine) networksIn(dc *dataCenter) []*Network {
	return selected(e.networks, func(n *Network) bool { return n.DataCenterID == dc.ID })
}

func (e *engine) eventsWhere(ok func(*event) bool) []*event { return selected(e.events, ok) }

func (e *engine) templatesOf(vms []*vm) []*template {
	var list []*template
	for _, v := range vms {
		list = append(list, oneOrNone(e.template(v.templateID))...)
	}
	return list
}

func selected[T any](list []T, ok func(T) bool) []T {
	var rest []T
	for _, v := range list {
		if ok(v) {
			rest = append(rest, v)
		}
	}
	return rest
}
