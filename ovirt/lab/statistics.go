package lab

import (
	"crypto/md5"
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// statistic is one value that an engine has of a host, a VM, a disk or a NIC. Its id comes from its name alone, so that each object
// has the same ids (ovirt-engine StatisticResourceUtils).
type statistic struct {
	name, description string
	kind, unit, typ   string
	datum             string
	orphan            bool // without a parent, and so without an href, as an engine gives the statistics of huge pages
}

// nameID is a version 3 UUID of a name without a namespace (java.util.UUID.nameUUIDFromBytes).
func nameID(name string) string {
	b := md5.Sum([]byte(name))
	b[6] = b[6]&0x0f | 0x30
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

func gauge(name, description, unit, typ, datum string) statistic {
	return statistic{name: name, description: description, kind: "gauge", unit: unit, typ: typ, datum: datum}
}

func counterOf(name, description, unit, typ, datum string) statistic {
	s := gauge(name, description, unit, typ, datum)
	s.kind = "counter"
	return s
}

// hostStatistics are those of ovirt-engine HostStatisticalQuery. boot.time is as the host last reported it, in Unix seconds.
func hostStatistics(h *host) []statistic {
	bytes := func(name, text string, v int64) statistic {
		return gauge(name, text, "bytes", "integer", strconv.FormatInt(v, 10))
	}
	percent := func(name, text, v string) statistic { return gauge(name, text, "percent", "decimal", v) }
	used := h.Memory / 20
	list := []statistic{
		bytes("memory.total", "Total memory", h.Memory), bytes("memory.used", "Used memory", used), bytes("memory.free", "Free memory", h.Memory-used),
		bytes("memory.shared", "Shared memory", 0), bytes("swap.total", "Total swap", 8*gib), bytes("swap.free", "Free swap", 8*gib),
		bytes("swap.used", "Used swap", 0), percent("ksm.cpu.current", "KSM CPU usage", "0"), percent("cpu.current.user", "User CPU usage", "1"),
		percent("cpu.current.system", "System CPU usage", "0"), percent("cpu.current.idle", "Idle CPU usage", "99"),
		percent("cpu.load.avg.5m", "CPU 5 minute load average", "0.090"),
		gauge("boot.time", "Boot time of the machine", "none", "integer", strconv.FormatInt(h.booted.Unix(), 10)),
	}
	for _, size := range []string{"1048576", "2048"} {
		free := gauge("hugepages."+size+".free", "Amount of free huge pages of the given size", "none", "integer", "0")
		total := gauge("hugepages."+size+".total", "Amount of total huge pages of the given size", "none", "integer", "0")
		free.orphan, total.orphan = true, true
		list = append(list, free, total)
	}
	return list
}

// vmStatistics are those of ovirt-engine VmStatisticalQuery, without the histories.
func vmStatistics(now time.Time, v *vm) []statistic {
	used, cpu, elapsed := int64(0), "0", int64(0)
	if v.running && !v.startTime.IsZero() {
		used, cpu, elapsed = v.memory/4, "1", int64(now.Sub(v.startTime)/time.Second)
	}
	bytes := func(name, text string, n int64) statistic {
		return gauge(name, text, "bytes", "integer", strconv.FormatInt(n, 10))
	}
	percent := func(name, text, n string) statistic { return gauge(name, text, "percent", "decimal", n) }
	return []statistic{
		bytes("memory.installed", "Total memory configured", v.memory), bytes("memory.used", "Memory used (agent)", used),
		percent("cpu.current.guest", "CPU used by guest", cpu), percent("cpu.current.hypervisor", "CPU overhead", "0"),
		percent("cpu.current.total", "Total CPU used", cpu), percent("migration.progress", "Migration Progress", "0"),
		bytes("memory.buffered", "Memory buffered (agent)", 0), bytes("memory.cached", "Memory cached (agent)", 0),
		bytes("memory.free", "Memory free (agent)", v.memory-used), bytes("memory.unused", "Memory unused (agent)", v.memory-used),
		percent("network.current.total", "Total network used", "0"),
		counterOf("elapsed.time", "Elapsed VM runtime", "seconds", "integer", strconv.FormatInt(elapsed, 10)),
	}
}

// diskStatistics are those of ovirt-engine DiskStatisticalQuery.
func diskStatistics() []statistic {
	rate := func(name, text string) statistic { return gauge(name, text, "bytes_per_second", "decimal", "0") }
	seconds := func(name, text string) statistic { return gauge(name, text, "seconds", "decimal", "0") }
	return []statistic{
		rate("data.current.read", "Read data rate"), counterOf("data.current.read_ops", "Read data ops", "none", "decimal", "0"),
		rate("data.current.write", "Write data rate"), counterOf("data.current.write_ops", "Write data ops", "none", "decimal", "0"),
		seconds("disk.read.latency", "Read latency"), seconds("disk.write.latency", "Write latency"), seconds("disk.flush.latency", "Flush latency"),
	}
}

// nicStatistics are those of ovirt-engine NicStatisticalQuery, of a VM's NIC or a host's.
func nicStatistics() []statistic {
	rate := func(name, text, unit string) statistic { return gauge(name, text, unit, "decimal", "0") }
	count := func(name, text, unit string) statistic { return counterOf(name, text, unit, "integer", "0") }
	return []statistic{
		rate("data.current.rx", "Receive data rate", "bytes_per_second"), rate("data.current.tx", "Transmit data rate", "bytes_per_second"),
		rate("data.current.rx.bps", "Receive data rate", "bits_per_second"), rate("data.current.tx.bps", "Transmit data rate", "bits_per_second"),
		count("errors.total.rx", "Total receive errors", "none"), count("errors.total.tx", "Total transmit errors", "none"),
		count("data.total.rx", "Total received data", "bytes"), count("data.total.tx", "Total transmitted data", "bytes"),
	}
}

// getStatistics serves the statistics of an object, which collection and id name; s is the rest of the path.
func (c *call) getStatistics(s []string, element, collection, id string, list []statistic) *reply {
	if len(s) == 0 {
		x := newXML("statistics")
		for _, v := range list {
			v.document(x, element, collection, id)
		}
		return x.reply(http.StatusOK)
	}
	if v := find(list, func(v statistic) bool { return nameID(v.name) == s[0] }); v.name != "" && len(s) == 1 {
		x := newDocument()
		v.document(x, element, collection, id)
		return x.reply(http.StatusOK)
	}
	return c.notFound()
}

func (v statistic) document(x *xmlWriter, element, collection, parent string) {
	id := nameID(v.name)
	if v.orphan {
		x.open("statistic", "id", id)
	} else {
		x.open("statistic", "href", apiRoot+"/"+collection+"/"+parent+"/statistics/"+id, "id", id)
	}
	x.text("name", v.name)
	x.text("description", v.description)
	x.text("kind", v.kind)
	x.text("type", v.typ)
	x.text("unit", v.unit)
	x.open("values")
	x.open("value")
	x.text("datum", v.datum)
	x.close("value")
	x.close("values")
	if !v.orphan {
		x.empty(element, "href", apiRoot+"/"+collection+"/"+parent, "id", parent)
	}
	x.close("statistic")
}
