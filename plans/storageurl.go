package plans

import (
	"fmt"
	"net/netip"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// The storage types that a storage URL can name, as the oVirt API spells them.
const (
	StorageNFS       = "nfs"
	StorageISCSI     = "iscsi"
	StorageFCP       = "fcp"
	StorageGlusterFS = "glusterfs"
	StoragePOSIX     = "posixfs"
)

// storageForms shows each form of a storage URL by an example; hints quote it.
var storageForms = map[string]string{
	StorageNFS:       "nfs://192.168.122.210:/nfs_ds",
	StorageISCSI:     "iscsi://bcca8438-810f-4932-bf25-d874babd97b1:/192.168.0.1:3260:/iqn.2006-01.com.openfiler:vm-data1",
	StorageFCP:       "fcp://bcca8438-810f-4932-bf25-d874babd97b1",
	StorageGlusterFS: "glusterfs://gluster1:/volume1",
	StoragePOSIX:     "posixfs://server:/path",
}

var storageTypes = []string{StorageNFS, StorageISCSI, StorageFCP, StorageGlusterFS, StoragePOSIX}

// StorageURL is one storage domain as the command line and the plan name it.
type StorageURL struct {
	Raw      string   // as given, without surrounding space
	Type     string   // StorageNFS …
	DomainID string   // iscsi and fcp: the storage domain's id, in lower case
	Address  string   // file types: the server, in lower case; IPv6 without brackets; posixfs: or several servers as they are mounted
	Path     string   // file types: the absolute path, cleaned (one slash between parts, none at the end)
	Targets  []Target // iscsi: where its LUNs are reached; repeated URLs of one id add theirs
}

// Target is an iSCSI target: a portal and the name behind it.
type Target struct {
	Address string
	Port    int
	IQN     string
}

// String renders the target as a plan does: ADDRESS:PORT/IQN.
func (t Target) String() string {
	return hostInURL(t.Address) + ":" + strconv.Itoa(t.Port) + "/" + t.IQN
}

// String renders the URL in its normal form, which parses to the same value (for iscsi: the form of its first target).
func (u StorageURL) String() string {
	switch u.Type {
	case StorageFCP:
		return u.Type + "://" + u.DomainID
	case StorageISCSI:
		text := u.Type + "://" + u.DomainID
		if len(u.Targets) > 0 {
			t := u.Targets[0]
			text += ":/" + hostInURL(t.Address) + ":" + strconv.Itoa(t.Port) + ":/" + t.IQN
		}
		return text
	}
	return u.Type + "://" + hostInURL(u.Address) + ":" + u.Path
}

// SamePlace reports whether both URLs name the same place: the same server and path, or a common iSCSI target.
// Two fcp URLs never do: they hold only the id, which a replica shares with its source.
func (u StorageURL) SamePlace(other StorageURL) bool {
	if u.Type == StorageISCSI && other.Type == StorageISCSI {
		return slices.ContainsFunc(u.Targets, func(t Target) bool { return slices.Contains(other.Targets, t) })
	}
	// One export is one place, by whatever protocol it is mounted.
	return u.Path != "" && u.Address == other.Address && u.Path == other.Path
}

// StorageURLError is one entry of a storage list that cannot be used, with the place inside the entry.
type StorageURLError struct {
	Side    string // primary, secondary, or "" when only one list was looked at
	Index   int    // number of the entry in its list, from 1
	Entry   string // the entry as given, without surrounding space
	Offset  int    // byte offset in Entry of the offending part
	Length  int    // its length in bytes; 0 means a place between two bytes
	Code    string // storage-url, storage-twice, storage-pair or storage-same-place
	Message string
	Hint    string
}

// Error renders the finding on one line.
func (e *StorageURLError) Error() string {
	where := "entry " + strconv.Itoa(e.Index)
	if e.Side != "" {
		where = e.Side + " storage, " + where
	}
	return fmt.Sprintf("%s: %q: %s", where, e.Entry, e.Message)
}

// StorageURLErrors are all the findings about storage lists, in the order of the entries.
type StorageURLErrors []*StorageURLError

// Error renders every finding in the form of the other diagnostics: the message, the entry, a caret below the offending part, a hint.
func (errs StorageURLErrors) Error() string {
	var b strings.Builder
	for i, e := range errs {
		if i > 0 {
			b.WriteByte('\n')
		}
		where := "storage list"
		if e.Side != "" {
			where = "--" + e.Side + "-storage"
		}
		if e.Index > 0 {
			where += ":" + strconv.Itoa(e.Index)
		}
		fmt.Fprintf(&b, "%s: error: %s [%s]\n", where, e.Message, e.Code)
		if e.Entry != "" {
			fmt.Fprintf(&b, "      | %s\n      | %s%s\n", commentText(e.Entry),
				strings.Repeat(" ", displayWidth(e.Entry[:e.Offset])), strings.Repeat("^", max(1, displayWidth(e.Entry[e.Offset:e.Offset+e.Length]))))
		}
		if e.Hint != "" {
			fmt.Fprintf(&b, "  hint: %s\n", e.Hint)
		}
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// ParseStorageURLs reads a list of storage URLs separated by ";". An empty entry at the end is no entry.
// iSCSI URLs with one domain id are targets of one domain and come back as one value, at the place of the first.
// The error is a StorageURLErrors with every finding.
func ParseStorageURLs(list string) ([]StorageURL, error) {
	urls, errs := parseStorageList("", list)
	if len(errs) > 0 {
		return nil, errs
	}
	return urls, nil
}

func parseStorageList(side, list string) ([]StorageURL, StorageURLErrors) {
	entries := strings.Split(list, ";")
	if len(entries) > 1 && strings.TrimSpace(entries[len(entries)-1]) == "" {
		entries = entries[:len(entries)-1]
	}
	var urls []StorageURL
	var errs StorageURLErrors
	seenAt := map[string]int{}
	for i, entry := range entries {
		entry = strings.TrimSpace(entry)
		u, bad := parseStorageURL(entry)
		if bad == nil {
			// The normal form decides what is a repetition: case of the host and doubled slashes do not make another place.
			if first := seenAt[u.String()]; first > 0 {
				bad = wrongPart(entry, 0, len(entry), "", "this repeats entry %d", first)
				bad.Code, bad.Hint = "storage-twice", "name each storage domain once"
			} else {
				seenAt[u.String()] = i + 1
			}
		}
		if bad != nil {
			bad.Side, bad.Index = side, i+1
			errs = append(errs, bad)
			continue
		}
		if u.Type == StorageISCSI {
			if at := slices.IndexFunc(urls, func(v StorageURL) bool { return v.Type == StorageISCSI && v.DomainID == u.DomainID }); at >= 0 {
				urls[at].Targets = append(urls[at].Targets, u.Targets...)
				continue
			}
		}
		urls = append(urls, u)
	}
	return urls, errs
}

func wrongPart(entry string, offset, length int, storageType, format string, args ...any) *StorageURLError {
	e := &StorageURLError{Entry: entry, Offset: offset, Length: length, Code: "storage-url", Message: fmt.Sprintf(format, args...)}
	if form := storageForms[storageType]; form != "" {
		e.Hint = "write it like " + form
	}
	return e
}

// parseStorageURL reads one URL. Offsets in its findings are into entry.
func parseStorageURL(entry string) (StorageURL, *StorageURLError) {
	u := StorageURL{Raw: entry}
	if entry == "" {
		return u, wrongPart(entry, 0, 0, StorageNFS, "the entry is empty")
	}
	for i, r := range entry {
		if r < ' ' || r == 0x7f || r == '\uFFFD' {
			return u, wrongPart(entry, i, 1, StorageNFS, "a storage URL holds no control characters")
		}
	}
	scheme, _, found := strings.Cut(entry, ":")
	u.Type = strings.ToLower(scheme)
	if !found || !slices.Contains(storageTypes, u.Type) {
		length := len(scheme)
		if !found {
			length = len(entry)
		}
		if found && slices.Contains([]string{"localfs", "local", "file"}, u.Type) {
			return u, wrongPart(entry, 0, length, StorageNFS, "local storage cannot be replicated to another site")
		}
		if found && strings.HasPrefix(entry[length:], "://") {
			return u, wrongPart(entry, 0, length, StorageNFS, "%q is no storage type (these are: %s)", scheme, strings.Join(storageTypes, ", "))
		}
		return u, wrongPart(entry, 0, length, StorageNFS, "a storage URL begins with its type (%s) and \"://\"", strings.Join(storageTypes, ", "))
	}
	at := len(scheme) + 1
	if !strings.HasPrefix(entry[at:], "//") {
		return u, wrongPart(entry, at, 0, u.Type, "\"//\" must follow \"%s:\"", scheme)
	}
	at += 2
	switch u.Type {
	case StorageFCP:
		id, bad := parseDomainID(entry, at, len(entry), u.Type)
		u.DomainID = id
		return u, bad
	case StorageISCSI:
		return parseISCSI(u, entry, at)
	}
	return parseFilePlace(u, entry, at)
}

// parseFilePlace reads HOST:/PATH.
func parseFilePlace(u StorageURL, entry string, at int) (StorageURL, *StorageURLError) {
	rest := entry[at:]
	if rest == "" {
		return u, wrongPart(entry, at, 0, u.Type, "the server and the path are missing")
	}
	if u.Type == StoragePOSIX {
		if servers, path, found := strings.Cut(rest, ":/"); found && (strings.Contains(servers, ",") || serverPort.MatchString(servers)) {
			return parseServers(u, entry, at, servers, path)
		}
	}
	hostEnd := strings.IndexAny(rest, ":/")
	if strings.HasPrefix(rest, "[") {
		if close := strings.IndexByte(rest, ']'); close > 0 {
			hostEnd = close + 1
		} else {
			return u, wrongPart(entry, at, len(rest), u.Type, "the bracket of the IPv6 address is not closed")
		}
	}
	if hostEnd < 0 {
		return u, wrongPart(entry, len(entry), 0, u.Type, "the path is missing after the server %q", rest)
	}
	host := rest[:hostEnd]
	var problem string
	if u.Address, problem = parseHost(host); problem != "" {
		return u, wrongPart(entry, at, len(host), u.Type, "%s", problem)
	}
	after := at + hostEnd
	tail := entry[after:]
	switch {
	case strings.HasPrefix(tail, ":/"):
		u.Path = cleanPath(tail[1:])
		if u.Path == "/" && u.Type != StorageNFS {
			return u, wrongPart(entry, after+1, len(tail)-1, u.Type, "the path names no directory")
		}
		return u, nil
	case strings.HasPrefix(tail, "/"):
		e := wrongPart(entry, after, 0, u.Type, "\":\" is missing between the server and the path")
		e.Hint = "write it like " + u.Type + "://" + host + ":" + tail
		return u, e
	case strings.HasPrefix(tail, ":") && len(tail) > 1 && tail[1] >= '0' && tail[1] <= '9':
		end := 1
		for end < len(tail) && tail[end] >= '0' && tail[end] <= '9' {
			end++
		}
		return u, wrongPart(entry, after+1, end-1, u.Type, "a port does not belong into a %s URL", u.Type)
	case tail == ":" || tail == "":
		return u, wrongPart(entry, len(entry), 0, u.Type, "the path is missing after the server %q", host)
	}
	return u, wrongPart(entry, after, len(tail), u.Type, "an absolute path (\":/…\") must follow the server %q", host)
}

// serverPort is the end of a server of a cluster file system that is named with its port.
var serverPort = regexp.MustCompile(`:[0-9]*$`)

// parseServers reads what a cluster file system is mounted from: HOST[:PORT],HOST[:PORT]:/PATH, as Ceph has it.
func parseServers(u StorageURL, entry string, at int, servers, path string) (StorageURL, *StorageURLError) {
	var normal []string
	for _, server := range strings.Split(servers, ",") {
		host, port := server, ""
		if end := serverPort.FindString(server); end != "" {
			host, port = strings.TrimSuffix(server, end), end
			if _, sound := parsePort(end[1:]); !sound {
				return u, wrongPart(entry, at+len(host)+1, len(end)-1, u.Type, "the port %q is no number between 1 and 65535", end[1:])
			}
		}
		name, problem := parseHost(host)
		if problem != "" {
			return u, wrongPart(entry, at, len(host), u.Type, "%s", problem)
		}
		if len(normal) > 0 || port != "" || strings.Contains(servers, ",") {
			name = hostInURL(name)
		}
		normal = append(normal, name+port)
		at += len(server) + 1
	}
	u.Address, u.Path = strings.Join(normal, ","), cleanPath(path)
	if u.Path == "/" {
		return u, wrongPart(entry, at, len(path), u.Type, "the path names no directory")
	}
	return u, nil
}

// parseISCSI reads DOMAIN_ID:/ADDRESS:PORT:/IQN. The users' guide of another tool prints a space before the port, which is skipped.
func parseISCSI(u StorageURL, entry string, at int) (StorageURL, *StorageURLError) {
	idEnd := strings.Index(entry[at:], ":/")
	if idEnd < 0 {
		if _, bad := parseDomainID(entry, at, len(entry), u.Type); bad != nil {
			return u, bad
		}
		return u, wrongPart(entry, len(entry), 0, u.Type, "the portal is missing after the domain id")
	}
	id, bad := parseDomainID(entry, at, at+idEnd, u.Type)
	if bad != nil {
		return u, bad
	}
	u.DomainID = id
	at += idEnd + 2
	portalEnd := strings.Index(entry[at:], ":/")
	if portalEnd < 0 {
		return u, wrongPart(entry, len(entry), 0, u.Type, "the target name (IQN) is missing after the portal")
	}
	portal := entry[at : at+portalEnd]
	colon := strings.LastIndexByte(portal, ':')
	if colon < 0 || strings.HasSuffix(portal, "]") {
		return u, wrongPart(entry, at+len(portal), 0, u.Type, "the port is missing in the portal %q", portal)
	}
	host, port := portal[:colon], strings.TrimLeft(portal[colon+1:], " ")
	target := Target{}
	var problem string
	if target.Address, problem = parseHost(host); problem != "" {
		return u, wrongPart(entry, at, len(host), u.Type, "%s", problem)
	}
	var sound bool
	if target.Port, sound = parsePort(port); !sound {
		return u, wrongPart(entry, at+len(portal)-len(port), len(port), u.Type, "the port %q is no number between 1 and 65535", port)
	}
	at += portalEnd + 2
	if target.IQN, sound = parseIQN(entry[at:]); !sound {
		return u, wrongPart(entry, at, len(entry)-at, u.Type, "%q is no target name: %s", entry[at:], iqnForm)
	}
	u.Targets = []Target{target}
	return u, nil
}

func parseDomainID(entry string, from, to int, storageType string) (string, *StorageURLError) {
	id := entry[from:to]
	if id == "" {
		return "", wrongPart(entry, from, 0, storageType, "the id of the storage domain is missing")
	}
	if !isUUID(id) {
		return "", wrongPart(entry, from, to-from, storageType, "%q is no storage domain id (8-4-4-4-12 hexadecimal digits)", id)
	}
	return strings.ToLower(id), nil
}

// isUUID reports whether text has the form of an id that an engine hands out.
func isUUID(text string) bool {
	if len(text) != 36 {
		return false
	}
	for i, r := range []byte(text) {
		switch i {
		case 8, 13, 18, 23:
			if r != '-' {
				return false
			}
		default:
			if (r < '0' || r > '9') && (r < 'a' || r > 'f') && (r < 'A' || r > 'F') {
				return false
			}
		}
	}
	return true
}

// parseHost normalises a host name or address: lower case, no dot at the end, IPv6 without brackets and in its short form.
func parseHost(host string) (normal, problem string) {
	if host == "" {
		return "", "the server is missing"
	}
	if strings.HasPrefix(host, "[") {
		inner := strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
		addr, err := netip.ParseAddr(inner)
		if err != nil || !addr.Is6() || !strings.HasSuffix(host, "]") {
			return "", fmt.Sprintf("%q is no IPv6 address", host)
		}
		return addr.String(), ""
	}
	normal = strings.TrimSuffix(strings.ToLower(host), ".")
	for _, r := range normal {
		letter := r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '-' || r == '_' || r == '.' || r > 0x7f && r != '\uFFFD'
		if !letter {
			return "", fmt.Sprintf("%q is no server name: it holds %q", host, r)
		}
	}
	if normal == "" {
		return "", fmt.Sprintf("%q is no server name", host)
	}
	return normal, ""
}

// cleanPath brings a path into the form in which two spellings of one directory are equal.
func cleanPath(text string) string { return path.Clean("/" + text) }

func hostInURL(host string) string {
	if addr, err := netip.ParseAddr(host); err == nil && addr.Is6() {
		return "[" + host + "]"
	}
	return host
}

// Mount is the server of a file domain as an engine mounts it: an IPv6 address in brackets.
func (u StorageURL) Mount() string { return hostInURL(u.Address) }

// StoragePair is a storage domain on both sites.
type StoragePair struct {
	Primary, Secondary StorageURL
}

// PairStorage pairs the domains of the two sites: by domain id where the URLs have one, else by position among the rest of its type's list.
// It refuses lists of unequal length, pairs of two storage types, and a secondary place that is also a primary one.
// The error is a StorageURLErrors with every finding.
func PairStorage(primary, secondary []StorageURL) ([]StoragePair, error) {
	pairs, errs := pairStorage(primary, secondary)
	if len(errs) > 0 {
		return nil, errs
	}
	return pairs, nil
}

func pairStorage(primary, secondary []StorageURL) ([]StoragePair, StorageURLErrors) {
	var errs StorageURLErrors
	refuse := func(index int, u StorageURL, code, hint, format string, args ...any) {
		errs = append(errs, &StorageURLError{Side: "secondary", Index: index + 1, Entry: u.Raw, Length: len(u.Raw), Code: code, Hint: hint, Message: fmt.Sprintf(format, args...)})
	}
	if len(primary) != len(secondary) {
		errs = append(errs, &StorageURLError{Side: "secondary", Code: "storage-pair",
			Message: fmt.Sprintf("the list names %s, the primary list %d", countDomains(len(secondary)), len(primary)),
			Hint:    "give both lists in the same order, one entry for each storage domain"})
	}
	for i, s := range secondary {
		for _, p := range primary {
			if s.SamePlace(p) {
				refuse(i, s, "storage-same-place", "name the replica: its own export or target", "this place is on the primary list too: a domain and its replica cannot be in one place")
				break
			}
		}
	}
	if len(errs) > 0 {
		return nil, errs
	}
	byID := map[string]int{}
	for i, s := range secondary {
		if s.DomainID != "" {
			byID[s.DomainID] = i
		}
	}
	pairs := make([]StoragePair, 0, len(primary))
	taken := make([]bool, len(secondary))
	for i, p := range primary {
		at := i
		if p.DomainID != "" {
			found, ok := byID[p.DomainID]
			if !ok {
				errs = append(errs, &StorageURLError{Side: "primary", Index: i + 1, Entry: p.Raw, Length: len(p.Raw), Code: "storage-pair",
					Message: "no entry of the secondary list has the domain id " + p.DomainID, Hint: "a replica has the id of its source: use the same id on both sides"})
				continue
			}
			at = found
		} else if s := secondary[at]; s.DomainID != "" || s.Type != p.Type {
			refuse(at, s, "storage-pair", "give both lists in the same order; a replica has the storage type of its source", "this is of type %s, but entry %d of the primary list (%q) is of type %s", s.Type, i+1, p.Raw, p.Type)
			taken[at] = true
			continue
		}
		taken[at] = true
		pairs = append(pairs, StoragePair{Primary: p, Secondary: secondary[at]})
	}
	for i, s := range secondary {
		switch {
		case taken[i]:
		case s.DomainID == "":
			refuse(i, s, "storage-pair", "give both lists in the same order; a replica has the storage type of its source", "this has no counterpart in the primary list")
		default:
			refuse(i, s, "storage-pair", "a replica has the id of its source: use the same id on both sides", "no entry of the primary list has the domain id %s", s.DomainID)
		}
	}
	return pairs, errs
}

func countDomains(n int) string {
	if n == 1 {
		return "1 storage domain"
	}
	return fmt.Sprintf("%d storage domains", n)
}
