package lab

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// xmlWriter writes a document in the form that the engine's REST layer gives: indented by four spaces, text escaped.
type xmlWriter struct {
	b     buffer
	depth int
	begun int    // length of b when the last element was opened
	root  string // element to close at the end; "" for none
	bare  bool   // references have only an id, as in what comes from a stored configuration
}

// buffer is a bytes.Buffer that is only written.
type buffer []byte

func (b *buffer) WriteString(s string) { *b = append(*b, s...) }

func (b *buffer) Write(p []byte) (int, error) {
	*b = append(*b, p...)
	return len(p), nil
}

// Bytes returns what was written.
func (b *buffer) Bytes() []byte { return *b }

const xmlHead = `<?xml version="1.0" encoding="UTF-8" standalone="yes"?>` + "\n"

const indents = "                                                                "

func newDocument() *xmlWriter {
	x := &xmlWriter{}
	x.b.WriteString(xmlHead)
	return x
}

// newXML starts a document with a root element that reply closes.
func newXML(root string) *xmlWriter {
	x := newDocument()
	x.open(root)
	x.root = root
	return x
}

func (x *xmlWriter) indent() {
	n := min(x.depth*4, len(indents))
	x.b.WriteString(indents[:n])
}

// open starts an element with attributes as name, value pairs.
func (x *xmlWriter) open(name string, attrs ...string) {
	x.tag(name, attrs)
	x.b.WriteString(">\n")
	x.depth++
	x.begun = len(x.b)
}

func (x *xmlWriter) tag(name string, attrs []string) {
	x.indent()
	x.b = append(x.b, '<')
	x.b.WriteString(name)
	for i := 0; i+1 < len(attrs); i += 2 {
		x.b = append(x.b, ' ')
		x.b.WriteString(attrs[i])
		x.b.WriteString(`="`)
		x.escape(attrs[i+1])
		x.b = append(x.b, '"')
	}
}

// close ends an element; one with nothing in it has no end of its own, as JAXB writes it.
func (x *xmlWriter) close(name string) {
	x.depth--
	if x.begun == len(x.b) {
		x.b = append(x.b[:len(x.b)-2], "/>\n"...)
		return
	}
	x.indent()
	x.b.WriteString("</")
	x.b.WriteString(name)
	x.b.WriteString(">\n")
}

// empty writes an element without content.
func (x *xmlWriter) empty(name string, attrs ...string) {
	x.tag(name, attrs)
	x.b.WriteString("/>\n")
}

func (x *xmlWriter) text(name, value string) {
	x.indent()
	x.b = append(x.b, '<')
	x.b.WriteString(name)
	x.b = append(x.b, '>')
	x.escape(value)
	x.b.WriteString("</")
	x.b.WriteString(name)
	x.b.WriteString(">\n")
}

func (x *xmlWriter) int(name string, v int64) {
	var digits [20]byte
	x.text(name, string(strconv.AppendInt(digits[:0], v, 10)))
}

func (x *xmlWriter) bool(name string, v bool) { x.text(name, strconv.FormatBool(v)) }

func (x *xmlWriter) time(name string, t time.Time) {
	x.text(name, t.UTC().Format("2006-01-02T15:04:05.000Z07:00"))
}

// ref writes a reference to another object.
func (x *xmlWriter) ref(name, collection, id string) {
	if x.bare {
		x.empty(name, "id", id)
		return
	}
	x.empty(name, "href", apiRoot+"/"+collection+"/"+id, "id", id)
}

func (x *xmlWriter) link(href, rel string) { x.empty("link", "href", href, "rel", rel) }

// links writes a link to each sub-collection of href. Rels are plain words. It is written for speed: two thirds of a list of VMs are
// links.
func (x *xmlWriter) links(href string, rels ...string) {
	margin := indents[:min(x.depth*4, len(indents))]
	at := len(x.b)
	x.escape(href)
	href = string(x.b[at:])
	x.b = x.b[:at]
	for _, rel := range rels {
		x.b = append(x.b, margin...)
		x.b = append(x.b, `<link href="`...)
		x.b = append(x.b, href...)
		x.b = append(x.b, '/')
		x.b = append(x.b, rel...)
		x.b = append(x.b, `" rel="`...)
		x.b = append(x.b, rel...)
		x.b = append(x.b, "\"/>\n"...)
	}
}

// actions writes the list of actions of href.
func (x *xmlWriter) actions(href string, names ...string) {
	x.open("actions")
	x.links(href, names...)
	x.close("actions")
}

// version writes a version such as 4.7.
func (x *xmlWriter) version(name, v string) {
	major, minor, _ := strings.Cut(v, ".")
	x.open(name)
	x.text("major", major)
	x.text("minor", minor)
	x.close(name)
}

func (x *xmlWriter) escape(s string) {
	for i := range len(s) {
		if !ordinary[s[i]] {
			x.escapeSpecial(s)
			return
		}
	}
	x.b = append(x.b, s...)
}

// ordinary bytes stand for themselves.
var ordinary = func() (table [256]bool) {
	for i := 0x20; i < 0x80; i++ {
		table[i] = !strings.ContainsRune(`<>&"`, rune(i))
	}
	return table
}()

func (x *xmlWriter) escapeSpecial(s string) {
	plain := utf8.ValidString(s)
	for i := range len(s) {
		plain = plain && s[i] >= 0x20
	}
	if !plain { // control characters, which not all can be in XML
		_ = xml.EscapeText(&x.b, []byte(s))
		return
	}
	_, _ = escaper.WriteString(&x.b, s)
}

var escaper = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;")

func (x *xmlWriter) reply(status int) *reply {
	if x.root != "" {
		x.close(x.root)
		x.root = ""
	}
	return &reply{status: status, contentType: "application/xml;charset=UTF-8", body: x.b}
}

// node is a parsed element of a request.
type node struct {
	name     string
	attrs    map[string]string
	text     string
	children []*node

	lines  []byte // the element as it was written, where its members were not read (readLines)
	margin int    // blanks before it in lines
}

// parseXML reads a whole document.
func parseXML(body []byte) (*node, error) {
	d := xml.NewDecoder(bytes.NewReader(body))
	var stack []*node
	var root *node
	for {
		t, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		switch t := t.(type) {
		case xml.StartElement:
			n := &node{name: t.Name.Local}
			for _, a := range t.Attr {
				if n.attrs == nil {
					n.attrs = map[string]string{}
				}
				n.attrs[a.Name.Local] = a.Value
			}
			if len(stack) > 0 {
				parent := stack[len(stack)-1]
				parent.children = append(parent.children, n)
			} else if root == nil {
				root = n
			} else {
				return nil, errors.New("more than one root element")
			}
			stack = append(stack, n)
		case xml.EndElement:
			stack = stack[:len(stack)-1]
		case xml.CharData:
			if len(stack) > 0 {
				stack[len(stack)-1].text += string(t)
			}
		}
	}
	if root == nil {
		return nil, errors.New("no root element")
	}
	return root, nil
}

// child returns the first child at a path of names, or nil.
func (n *node) child(path ...string) *node {
	for _, name := range path {
		if n == nil {
			return nil
		}
		n = find(n.children, func(c *node) bool { return c.name == name })
	}
	return n
}

// all returns the children of that name.
func (n *node) all(name string) []*node {
	var list []*node
	if n != nil {
		for _, c := range n.children {
			if c.name == name {
				list = append(list, c)
			}
		}
	}
	return list
}

// value is the trimmed text of the child at a path, "" when it is absent.
func (n *node) value(path ...string) string {
	if c := n.child(path...); c != nil {
		return strings.TrimSpace(c.text)
	}
	return ""
}

// attr is an attribute, or an element of that name, which the REST layer takes for the same where it is an id.
func (n *node) attr(name string) string {
	if n == nil {
		return ""
	}
	if v := n.attrs[name]; v != "" {
		return v
	}
	return n.value(name)
}

// flag reads a boolean child: only true and false are understood. set is false when it is absent.
func (n *node) flag(path ...string) (value, set bool, r *refusal) {
	c := n.child(path...)
	if c == nil {
		return false, false, nil
	}
	switch strings.TrimSpace(c.text) {
	case "true":
		return true, true, nil
	case "false":
		return false, true, nil
	}
	return false, false, invalidValue(c.name, strings.TrimSpace(c.text))
}

// write echoes the element, without its own tag.
func (n *node) write(x *xmlWriter) {
	for _, c := range n.children {
		attrs := []string{}
		for _, name := range []string{"href", "id"} {
			if v, ok := c.attrs[name]; ok {
				attrs = append(attrs, name, v)
			}
		}
		switch {
		case len(c.children) > 0:
			x.open(c.name, attrs...)
			c.write(x)
			x.close(c.name)
		case strings.TrimSpace(c.text) == "":
			x.empty(c.name, attrs...)
		default:
			x.text(c.name, strings.TrimSpace(c.text))
		}
	}
}

// knownElements are the members that a request's root element may have; anything else is refused, as the engine's strict parser
// does (ovirt-engine-api-model types).
var knownElements = map[string]map[string]bool{
	"storage_domain": setOf(`actions link name description comment id available backup block_size committed critical_space_action_blocker
		discard_after_delete external_status import master status storage storage_format supports_discard supports_discard_zeroes_data type
		used warning_low_space_indicator wipe_after_delete data_center data_centers disk_profiles disk_snapshots disks files host images
		permissions storage_connections templates vms`),
	"action": setOf(`activate allow_partial_import affinity_group_mappings affinity_label_mappings async attachment authorized_key auto_pinning_policy
		bricks certificates check_connectivity clone clone_permissions cluster cluster_mappings collapse_snapshots comment commit_on_success
		connection connectivity_timeout data_center deploy_hosted_engine description details directory discard_snapshots discovered_targets disk
		disk_profile disks domain_mappings exclusive fault fence_type filename filter fix_layout follow force grace_period host id image
		image_transfer import_as_template is_attached iscsi iscsi_targets job last lease link lun_mappings logical_units maintenance_after_restart
		maintenance_enabled migrate_vms_in_affinity_closure modified_bonds modified_labels modified_network_attachments name option pause permission
		power_management proxy_ticket quota reason reassign_bad_macs reboot registration_configuration remote_viewer_connection_file
		removed_bonds removed_labels removed_network_attachments resolution_type restore_memory role_mappings root_password seal snapshot
		source_host ssh status stop_gluster_service storage_domain storage_domains succeeded synchronized_network_attachments template ticket
		timeout undeploy_hosted_engine upgrade_action upgrade_percent_complete use_cloud_init use_ignition use_initialization use_sysprep
		virtual_functions_configuration vm vnic_profile_mappings volatile`),
	"affinity_label": setOf(`name description comment id has_implicit_affinity_group hosts read_only vms link actions`),
	"affinity_group": setOf(`name description comment id link actions broken enforcing hosts_rule positive priority vms_rule cluster host_labels hosts
		vm_labels vms`),
	"mac_pool": setOf(`name description comment id link actions allow_duplicates default_pool permissions ranges`),
	"bookmark": setOf(`name description comment id link actions value`),
	"agent":    setOf(`name description comment id link actions address concurrent encrypt_options host options order password port type username`),
	"job":      setOf(`name description comment id link actions auto_cleared end_time external last_updated owner start_time status steps`),
	"step": setOf(`name description comment id link actions end_time execution_host external external_type job number parent_step progress
		start_time statistics status type`),
	"quota": setOf(`name description comment id link actions cluster_hard_limit_pct cluster_soft_limit_pct data_center disks permissions
		quota_cluster_limits quota_storage_limits storage_hard_limit_pct storage_soft_limit_pct users vms`),
	"quota_cluster_limit": setOf(`name description comment id link actions cluster memory_limit memory_usage quota vcpu_limit vcpu_usage`),
	"quota_storage_limit": setOf(`name description comment id link actions limit quota storage_domain usage`),
	"cpu_profile":         setOf(`name description comment id link actions cluster permissions qos`),
	"disk_profile":        setOf(`name description comment id link actions permissions qos storage_domain`),
	"qos": setOf(`name description comment id link actions cpu_limit data_center inbound_average inbound_burst inbound_peak max_iops max_read_iops
		max_read_throughput max_throughput max_write_iops max_write_throughput outbound_average outbound_average_linkshare
		outbound_average_realtime outbound_average_upperlimit outbound_burst outbound_peak type`),
	"tag":        setOf(`name description comment id link actions group host parent template user vm`),
	"role":       setOf(`name description comment id link actions administrative mutable permits user`),
	"permit":     setOf(`name description comment id link actions administrative role`),
	"permission": setOf(`name description comment id link actions cluster data_center disk group host role storage_domain template user vm vm_pool`),
	"user": setOf(`name description comment id link actions department domain_entry_id email last_name logged_in namespace password principal
		user_name user_options domain groups permissions roles ssh_public_keys tags`),
	"group": setOf(`name description comment id link actions domain_entry_id namespace domain permissions roles tags`),
	"nic": setOf(`actions link name description comment id boot_protocol interface linked mac network on_boot plugged vnic_profile vm template
		reported_devices statistics synced network_attachments network_filter_parameters virtual_function_allowed_labels`),
	"event": setOf(`name description comment id code correlation_id custom_data custom_id flood_rate index log_on_host origin severity time
		cluster data_center host storage_domain template user vm link actions`),
}

func setOf(words string) map[string]bool {
	set := map[string]bool{}
	for _, w := range strings.Fields(words) {
		set[w] = true
	}
	return set
}

// parse reads the request's body as the element root.
func (c *call) parse(root string) (*node, *refusal) {
	var doc *node
	var err error
	if sentJSON(c.req) {
		doc, err = parseJSON(root, c.body)
	} else {
		doc, err = parseXML(c.body)
	}
	if err != nil {
		return nil, &refusal{status: http.StatusBadRequest, reason: "Request syntactically incorrect.", detail: "Error parsing XML: " + err.Error(), bare: true}
	}
	if doc.name != root {
		return nil, &refusal{status: http.StatusBadRequest, reason: "Request syntactically incorrect.",
			detail: "For correct usage, see: " + apiRoot + "/apidoc (expected element " + root + ", found " + doc.name + ")", bare: true}
	}
	if known := knownElements[root]; known != nil {
		for _, child := range doc.children {
			if !known[child.name] {
				return nil, &refusal{status: http.StatusBadRequest, reason: "Request syntactically incorrect.",
					detail: "For correct usage, see: " + apiRoot + "/apidoc (unknown element " + child.name + ")", bare: true}
			}
		}
	}
	return doc, nil
}
