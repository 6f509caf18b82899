package lab

import (
	"crypto/sha256"
	"encoding/base64"
	"strconv"
	"strings"
)

// hostActions and hostLinks are in the order in which an engine of version 4.3 gave them; those that came later follow.
var (
	hostActions = []string{"refresh", "install", "activate", "deactivate", "upgrade", "unregisteredstoragedomainsdiscover", "upgradecheck",
		"syncallnetworks", "setupnetworks", "approve", "commitnetconfig", "enrollcertificate", "fence", "forceselectspm", "iscsidiscover",
		"iscsilogin", "copyhostnetworks", "discoveriscsi"}
	hostLinks = []string{"fenceagents", "devices", "hooks", "nics", "numanodes", "storage", "networkattachments", "storageconnectionextensions",
		"unmanagednetworks", "externalnetworkproviderconfigurations", "affinitylabels", "katelloerrata", "permissions", "tags", "statistics",
		"cpuunits"}
)

// organization is that of the certificates that an engine issues.
const organization = "drrun lab"

// fingerprint is that of a host's SSH key.
func fingerprint(id string) string {
	sum := sha256.Sum256([]byte("ssh/" + id))
	return strings.TrimRight(base64.StdEncoding.EncodeToString(sum[:]), "=")
}

// writePackage writes the version of a package with its name.
func writePackage(x *xmlWriter, name, full string, major, minor int64) {
	x.open(name)
	x.int("build", 0)
	x.text("full_version", full)
	x.int("major", major)
	x.int("minor", minor)
	x.int("revision", 0)
	x.close(name)
}

func writeHardware(x *xmlWriter, h *host) {
	x.open("hardware_information")
	x.text("family", "Red Hat Enterprise Linux")
	x.text("manufacturer", "Red Hat")
	x.text("product_name", "KVM")
	x.text("serial_number", uuidOf(h.ID+"/serial"))
	x.open("supported_rng_sources")
	x.text("supported_rng_source", "random")
	x.text("supported_rng_source", "hwrng")
	x.close("supported_rng_sources")
	x.text("uuid", strings.ToUpper(uuidOf(h.ID+"/machine")))
	x.text("version", "9.4-0.2.el9")
	x.close("hardware_information")
}

func writeHostOS(x *xmlWriter) {
	x.open("os")
	x.text("custom_kernel_cmdline", "")
	x.text("reported_kernel_cmdline", "BOOT_IMAGE=(hd0,gpt2)/vmlinuz-"+hostKernel+" root=/dev/mapper/cs-root ro crashkernel=1G-4G:192M resume=/dev/mapper/cs-swap")
	x.text("type", "RHEL")
	x.open("version")
	x.text("full_version", "9.4 - 0.1.el9")
	x.int("major", 9)
	x.int("minor", 4)
	x.close("version")
	x.close("os")
}

const hostKernel = "5.14.0-427.13.1.el9_4.x86_64"

// hostIP is the IPv4 address of a host, out of a network that documentation may use, as far as the lab gives it one.
func (e *engine) hostIP(h *host) string {
	return e.digest(h.ID, func() string {
		sum := sha256.Sum256([]byte(h.ID))
		return "198.18." + strconv.Itoa(int(sum[0])) + "." + strconv.Itoa(int(sum[1]%250)+1)
	})
}
