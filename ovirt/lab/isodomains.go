package lab

import "net/http"

// An ISO domain holds files that VMs can have as CDs, and nothing else: no disks, no OVF store. It is never the master. Its files are
// known by their names (ovirt-engine BackendFilesResource). Since 4.4 data domains hold CDs too, as disks; the lab has no such disks.

// isoDomain reports whether a storage domain is one.
func (d *storageDomain) isoDomain() bool { return d.kind == domainISO }

const domainISO = "iso"

// writeFile writes a file of an ISO domain.
func (d *storageDomain) writeFile(x *xmlWriter, name string) {
	x.open("file", "href", apiRoot+"/storagedomains/"+d.id+"/files/"+name, "id", name)
	x.text("name", name)
	x.ref("storage_domain", "storagedomains", d.id)
	x.close("file")
}

// getFiles serves the files of an ISO domain; other domains have none.
func (c *call) getFiles(d *storageDomain, s []string) *reply {
	switch {
	case len(s) == 0:
		x := newXML("files")
		for _, name := range d.files {
			d.writeFile(x, name)
		}
		return x.reply(http.StatusOK)
	case len(s) == 1:
		if name := find(d.files, func(name string) bool { return name == s[0] }); name != "" {
			return single(name, d.writeFile)
		}
	}
	return c.notFound()
}
