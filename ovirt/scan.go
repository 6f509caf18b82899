package ovirt

// How polls are read.
//
// While 5,000 VMs start, each tick brings a list of them of some 20 MB. go-ovirt's readers, and encoding/xml below them, take
// 0.14 ms a VM (measured), which is most of a second of CPU a tick. Waits and looks need the VM's own members only, without NICs
// and disks; so their lists are read by this scanner, which is as strict about the document as a whole (the right root, every element
// closed by its own name, nothing after the end, no unknown entity) and takes from each <vm> what toVM takes.

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// The decoders of polls: like decodeVMs and decodeVM, without NICs and disks.
var (
	scanVMs decoder[[]VM] = func(d *document) ([]VM, error) {
		out := []VM{}
		sc := newScanner(d.source)
		err := sc.document("vms", func(name []byte, depth int) bool { return depth == 2 && string(name) == "vm" }, func(vm VM) { out = append(out, vm) })
		if err != nil {
			return nil, err
		}
		return out, nil
	}
	scanVM decoder[VM] = func(d *document) (out VM, err error) {
		sc := newScanner(d.source)
		if err = sc.document("vm", func(_ []byte, depth int) bool { return depth == 1 }, func(vm VM) { out = vm }); err != nil {
			return VM{}, err
		}
		return out, nil
	}
)

// scanToken is what next found.
type scanToken int

const (
	scanStart scanToken = iota
	scanEnd
	scanText
	scanEOF
)

const (
	scanBuffer = 64 << 10
	scanLimit  = 16 << 20 // of one tag or text
)

// scanner reads tags and texts of one XML document.
type scanner struct {
	src      *source
	buf      []byte
	pos, end int
	eof      bool

	name   []byte // of the tag found last; valid until the next call of next
	attrs  []byte // what stands after the name
	text   []byte // raw
	cdata  bool   // the text has no entities
	closed bool   // the tag found last closes itself: an end follows

	open   []byte // names of the open elements, one after the other
	starts []int  // where each begins
	seen   map[string]string
}

func newScanner(src *source) *scanner {
	return &scanner{src: src, buf: make([]byte, scanBuffer), seen: map[string]string{}}
}

func (s *scanner) malformed(err error) error {
	if s.src.err != nil {
		return s.src.err
	}
	return fmt.Errorf("the answer is cut off or malformed after %d bytes: %w", s.src.bytes, err)
}

// fill reads more into the buffer; io.EOF when there is no more.
func (s *scanner) fill() error {
	if s.eof {
		return io.EOF
	}
	if s.pos > 0 {
		s.end = copy(s.buf, s.buf[s.pos:s.end])
		s.pos = 0
	}
	if s.end == len(s.buf) {
		if len(s.buf) >= scanLimit {
			return errors.New("a tag or a text is longer than 16 MiB")
		}
		s.buf = append(s.buf, make([]byte, len(s.buf))...)
	}
	for range 100 {
		n, err := s.src.Read(s.buf[s.end:])
		s.end += n
		switch {
		case err == io.EOF:
			s.eof = true
			if n > 0 {
				return nil
			}
			return io.EOF
		case err != nil:
			return err
		case n > 0:
			return nil
		}
	}
	return io.ErrNoProgress
}

// until returns the length of what stands before and including the mark, reading on as needed.
func (s *scanner) until(mark string, from int) (int, error) {
	for {
		if i := bytes.Index(s.buf[s.pos+from:s.end], []byte(mark)); i >= 0 {
			return from + i + len(mark), nil
		}
		if err := s.fill(); err != nil {
			if err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return 0, err
		}
	}
}

// next finds the next tag or text.
func (s *scanner) next() (scanToken, error) {
	if s.closed {
		s.closed = false
		return scanEnd, s.pop(s.name)
	}
	for {
		if s.pos == s.end {
			err := s.fill()
			if err == io.EOF && len(s.starts) == 0 {
				return scanEOF, nil
			}
			if err != nil {
				if err == io.EOF {
					err = io.ErrUnexpectedEOF
				}
				return 0, err
			}
		}
		if s.buf[s.pos] != '<' {
			n := bytes.IndexByte(s.buf[s.pos:s.end], '<')
			for n < 0 {
				had := s.end - s.pos
				err := s.fill()
				if err == io.EOF {
					n = s.end - s.pos // what follows the root element
					break
				}
				if err != nil {
					return 0, err
				}
				if i := bytes.IndexByte(s.buf[s.pos+had:s.end], '<'); i >= 0 {
					n = had + i
				}
			}
			s.text, s.cdata = s.buf[s.pos:s.pos+n], false
			s.pos += n
			return scanText, checkText(s.text)
		}
		for s.end-s.pos < len("<![CDATA[") {
			if err := s.fill(); err != nil {
				if err != io.EOF {
					return 0, err
				}
				break
			}
		}
		rest := s.buf[s.pos:s.end]
		switch {
		case len(rest) < 2:
			return 0, io.ErrUnexpectedEOF
		case rest[1] == '?':
			n, err := s.until("?>", 2)
			if err != nil {
				return 0, err
			}
			if inst := strings.ToLower(string(s.buf[s.pos : s.pos+n])); strings.HasPrefix(inst, "<?xml") && strings.Contains(inst, "encoding") && !strings.Contains(inst, "utf-8") {
				return 0, errors.New("the encoding is not UTF-8")
			}
			s.pos += n
			continue
		case bytes.HasPrefix(rest, []byte("<!--")):
			n, err := s.until("-->", 4)
			if err != nil {
				return 0, err
			}
			s.pos += n
			continue
		case bytes.HasPrefix(rest, []byte("<![CDATA[")):
			n, err := s.until("]]>", 9)
			if err != nil {
				return 0, err
			}
			s.text, s.cdata = s.buf[s.pos+9:s.pos+n-3], true
			s.pos += n
			return scanText, nil
		case rest[1] == '!':
			return 0, errors.New("the answer has a document type")
		}
		n := tagEnd(rest)
		for n < 0 {
			if err := s.fill(); err != nil {
				if err == io.EOF {
					err = io.ErrUnexpectedEOF
				}
				return 0, err
			}
			n = tagEnd(s.buf[s.pos:s.end])
		}
		tag := s.buf[s.pos+1 : s.pos+n]
		s.pos += n + 1
		if len(tag) > 0 && tag[0] == '/' {
			name := tag[1:]
			for len(name) > 0 && blank(name[len(name)-1]) {
				name = name[:len(name)-1]
			}
			return scanEnd, s.pop(name)
		}
		if len(tag) > 0 && tag[len(tag)-1] == '/' {
			s.closed, tag = true, tag[:len(tag)-1]
		}
		s.name, s.attrs = tag, nil
		for i, c := range tag {
			if blank(c) {
				s.name, s.attrs = tag[:i], tag[i:]
				break
			}
		}
		if !isName(s.name) {
			return 0, errors.New("a tag has no name")
		}
		s.starts = append(s.starts, len(s.open))
		s.open = append(s.open, s.name...)
		return scanStart, nil
	}
}

// tagEnd finds the > that ends the tag at the beginning of b; -1 when it is not there yet.
func tagEnd(b []byte) int {
	for i := 1; i < len(b); i++ {
		switch b[i] {
		case '>':
			return i
		case '"', '\'':
			n := bytes.IndexByte(b[i+1:], b[i])
			if n < 0 {
				return -1
			}
			i += n + 1
		}
	}
	return -1
}

func blank(c byte) bool { return c == ' ' || c == '\n' || c == '\t' || c == '\r' }

func isName(name []byte) bool {
	for i, c := range name {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || c == ':' || c >= utf8.RuneSelf
		if !letter && (i == 0 || (c < '0' || c > '9') && c != '-' && c != '.') {
			return false
		}
	}
	return len(name) > 0
}

// pop closes the innermost element, which must have that name.
func (s *scanner) pop(name []byte) error {
	if len(s.starts) == 0 {
		return fmt.Errorf("</%s> closes nothing", name)
	}
	at := s.starts[len(s.starts)-1]
	if !bytes.Equal(s.open[at:], name) {
		return fmt.Errorf("</%s> closes <%s>", name, s.open[at:])
	}
	s.open, s.starts = s.open[:at], s.starts[:len(s.starts)-1]
	return nil
}

// checkText refuses what no text of a document may have.
func checkText(text []byte) error {
	for rest := text; ; {
		i := bytes.IndexByte(rest, '&')
		if i < 0 {
			break
		}
		n := bytes.IndexByte(rest[i:], ';')
		if n < 0 {
			return errors.New("an entity does not end")
		}
		if _, ok := entity(rest[i+1 : i+n]); !ok {
			return fmt.Errorf("unknown entity %q", rest[i:i+n+1])
		}
		rest = rest[i+n+1:]
	}
	if !utf8.Valid(text) {
		return errors.New("a text is not UTF-8")
	}
	return nil
}

func entity(name []byte) (rune, bool) {
	switch string(name) {
	case "lt":
		return '<', true
	case "gt":
		return '>', true
	case "amp":
		return '&', true
	case "apos":
		return '\'', true
	case "quot":
		return '"', true
	}
	if len(name) < 2 || name[0] != '#' {
		return 0, false
	}
	digits, base := name[1:], 10
	if digits[0] == 'x' {
		digits, base = digits[1:], 16
	}
	n, err := strconv.ParseUint(string(digits), base, 31)
	valid := n == '\t' || n == '\n' || n == '\r' || n >= ' ' && n <= 0xD7FF || n >= 0xE000 && n <= 0xFFFD || n >= 0x10000 && n <= utf8.MaxRune
	return rune(n), err == nil && valid
}

// appendText adds a text, its entities and line ends replaced, to b.
func appendText(b, text []byte) []byte {
	for len(text) > 0 {
		i := bytes.IndexAny(text, "&\r")
		if i < 0 {
			return append(b, text...)
		}
		b = append(b, text[:i]...)
		if text[i] == '\r' {
			b = append(b, '\n')
			if text = text[i+1:]; len(text) > 0 && text[0] == '\n' {
				text = text[1:]
			}
			continue
		}
		n := bytes.IndexByte(text[i:], ';')
		r, _ := entity(text[i+1 : i+n])
		b = utf8.AppendRune(b, r)
		text = text[i+n+1:]
	}
	return b
}

// id checks the attributes of the tag found last and returns the one called id.
func (s *scanner) id() (id []byte, err error) {
	rest := s.attrs
	for {
		rest = bytes.TrimLeft(rest, " \t\r\n")
		if len(rest) == 0 {
			return id, nil
		}
		eq := bytes.IndexByte(rest, '=')
		if eq < 0 {
			return nil, errors.New("an attribute has no value")
		}
		name := bytes.TrimRight(rest[:eq], " \t\r\n")
		rest = bytes.TrimLeft(rest[eq+1:], " \t\r\n")
		if !isName(name) || len(rest) == 0 || rest[0] != '"' && rest[0] != '\'' {
			return nil, errors.New("an attribute is malformed")
		}
		n := bytes.IndexByte(rest[1:], rest[0])
		if n < 0 {
			return nil, errors.New("an attribute does not end")
		}
		value := rest[1 : n+1]
		if bytes.IndexByte(value, '<') >= 0 {
			return nil, errors.New("an attribute has a tag in it")
		}
		if err := checkText(value); err != nil {
			return nil, err
		}
		if string(name) == "id" {
			id = value
		}
		rest = rest[n+2:]
	}
}

// shared returns the text as a string; equal texts share one.
func (s *scanner) shared(text []byte) string {
	if have, ok := s.seen[string(text)]; ok {
		return have
	}
	out := string(text)
	if len(s.seen) < 10000 {
		s.seen[out] = out
	}
	return out
}

// member is what an element inside a <vm> means.
type member int

const (
	outside member = iota // of any VM
	ignored
	inVM
	inHA
	inLease
	inGuestOS
	inGuestOSVersion
	// The ones above are elements with elements, those below have a text.
	atName
	atStatus
	atStatusDetail
	atDescription
	atComment
	atOrigin
	atFQDN
	atMemory
	atDeleteProtected
	atNextRun
	atIllegalImages
	atStartTime
	atStopTime
	atHAEnabled
	atHAPriority
	atDistribution
	atFamily
	atFullVersion
	// And those are links, which have an id.
	atCluster
	atHost
	atTemplate
	atInstanceType
	atLeaseDomain
)

// inside tells what an element means by its name and by the one around it.
func inside(parent member, name []byte) member {
	switch parent {
	case inVM:
		switch string(name) {
		case "name":
			return atName
		case "status":
			return atStatus
		case "status_detail":
			return atStatusDetail
		case "description":
			return atDescription
		case "comment":
			return atComment
		case "origin":
			return atOrigin
		case "fqdn":
			return atFQDN
		case "memory":
			return atMemory
		case "delete_protected":
			return atDeleteProtected
		case "next_run_configuration_exists":
			return atNextRun
		case "has_illegal_images":
			return atIllegalImages
		case "start_time":
			return atStartTime
		case "stop_time":
			return atStopTime
		case "cluster":
			return atCluster
		case "host":
			return atHost
		case "template":
			return atTemplate
		case "instance_type":
			return atInstanceType
		case "high_availability":
			return inHA
		case "lease":
			return inLease
		case "guest_operating_system":
			return inGuestOS
		}
	case inHA:
		switch string(name) {
		case "enabled":
			return atHAEnabled
		case "priority":
			return atHAPriority
		}
	case inLease:
		if string(name) == "storage_domain" {
			return atLeaseDomain
		}
	case inGuestOS:
		switch string(name) {
		case "distribution":
			return atDistribution
		case "family":
			return atFamily
		case "version":
			return inGuestOSVersion
		}
	case inGuestOSVersion:
		if string(name) == "full_version" {
			return atFullVersion
		}
	case outside:
		return outside
	}
	return ignored
}

// vmScan is the VM being read.
type vmScan struct {
	vm                                VM
	distribution, family, fullVersion string
}

// document reads the whole document. isVM tells which elements are VMs, take is given each.
func (s *scanner) document(root string, isVM func(name []byte, depth int) bool, take func(VM)) error {
	var members []member
	var now vmScan
	var value []byte
	done := false
	for {
		token, err := s.next()
		if err != nil {
			return s.malformed(err)
		}
		switch token {
		case scanEOF:
			if !done {
				return &rootError{want: root}
			}
			return nil
		case scanText:
			if len(members) == 0 {
				if len(bytes.TrimSpace(s.text)) > 0 {
					if done {
						return errors.New("the answer has text after its end")
					}
					return errors.New("the answer is not XML")
				}
				continue
			}
			if p := members[len(members)-1]; p >= atName && p < atCluster {
				if s.cdata {
					value = append(value, s.text...)
				} else {
					value = appendText(value, s.text)
				}
			}
		case scanStart:
			if len(members) == 0 {
				if done {
					return errors.New("the answer has a second root element")
				}
				if string(s.name) != root {
					return &rootError{got: string(s.name), want: root}
				}
			}
			parent := outside
			if len(members) > 0 {
				parent = members[len(members)-1]
			}
			p := inside(parent, s.name)
			if parent == outside && isVM(s.name, len(members)+1) {
				p = inVM
			}
			value = value[:0]
			if p == inVM || p >= atCluster {
				id, err := s.id()
				if err != nil {
					return s.malformed(err)
				}
				value = appendText(value, id)
			}
			switch {
			case p == inVM:
				now = vmScan{}
				now.vm.ID = string(value)
			case p >= atCluster && len(value) > 0:
				now.link(p, s.shared(value))
			}
			members = append(members, p)
		case scanEnd:
			p := members[len(members)-1]
			members = members[:len(members)-1]
			done = done || len(members) == 0
			switch {
			case p == inVM:
				take(now.done())
			case p >= atName && p < atCluster:
				if err := now.set(s, p, value); err != nil {
					return s.malformed(err)
				}
			}
		}
	}
}

func (v *vmScan) link(p member, id string) {
	switch p {
	case atCluster:
		v.vm.ClusterID = id
	case atHost:
		v.vm.HostID = id
	case atTemplate:
		v.vm.TemplateID = id
	case atInstanceType:
		v.vm.InstanceTypeID = id
	case atLeaseDomain:
		v.vm.LeaseDomainID = id
	}
}

// set takes the text of a member.
func (v *vmScan) set(s *scanner, p member, value []byte) (err error) {
	flag := func(to *bool) { *to, err = strconv.ParseBool(string(value)) }
	moment := func(to *time.Time) {
		if *to, err = time.Parse(time.RFC3339Nano, string(value)); err == nil {
			*to = to.UTC()
		}
	}
	switch vm := &v.vm; p {
	case atName:
		vm.Name = string(value)
	case atStatus:
		vm.Status = s.shared(value)
	case atStatusDetail:
		vm.StatusDetail = s.shared(value)
	case atDescription:
		vm.Description = s.shared(value)
	case atComment:
		vm.Comment = s.shared(value)
	case atOrigin:
		vm.Origin = s.shared(value)
	case atFQDN:
		vm.FQDN = string(value)
	case atMemory:
		vm.Memory, err = strconv.ParseInt(string(value), 10, 64)
	case atDeleteProtected:
		flag(&vm.DeleteProtected)
	case atNextRun:
		flag(&vm.NextRun)
	case atIllegalImages:
		flag(&vm.IllegalImages)
	case atStartTime:
		moment(&vm.StartTime)
	case atStopTime:
		moment(&vm.StopTime)
	case atHAEnabled:
		flag(&vm.HAEnabled)
	case atHAPriority:
		vm.HAPriority, err = strconv.Atoi(string(value))
	case atDistribution:
		v.distribution = s.shared(value)
	case atFamily:
		v.family = s.shared(value)
	case atFullVersion:
		v.fullVersion = s.shared(value)
	}
	return err
}

func (v *vmScan) done() VM {
	v.vm.GuestOS = guestOS(v.distribution, v.family, v.fullVersion)
	return v.vm
}

// guestOS renders what a guest agent says of its operating system.
func guestOS(distribution, family, fullVersion string) string {
	if distribution == "" {
		distribution = family
	}
	if fullVersion == "" {
		return distribution
	}
	return strings.TrimSpace(distribution + " " + fullVersion)
}
