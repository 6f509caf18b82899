package runner

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// The facts of a run go to the target's engine as events, in parts, so that who lost the state folder and its mirror still learns what the
// run had decided: which VMs, in which order, what ran before. A part is the custom data of an event, which no list shows.

// factsPartSchema names the layout of factsPart.
const factsPartSchema = "drrun.facts.part/1"

// longestPart is how much of the facts one event carries, in characters of base64. An engine stores custom data of any length; what bounds
// it is a list of events that carries all of them.
const longestPart = 30000

// mostFacts bounds what is unpacked, in bytes: those of 5,000 VMs have some 5 MB.
const mostFacts = 1 << 28

// factsPart is one part of the facts of a run.
type factsPart struct {
	Schema string `json:"schema"`
	Run    string `json:"run"`
	Part   int    `json:"part"` // from 1
	Of     int    `json:"of"`
	SHA256 string `json:"sha256"` // of the whole facts, as JSON text
	Data   string `json:"data"`   // base64 of a piece of the gzipped facts
}

// packFacts cuts facts into parts.
func packFacts(run string, facts []byte) ([]factsPart, error) {
	var packed bytes.Buffer
	zip, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	if _, err = zip.Write(facts); err == nil {
		err = zip.Close()
	}
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(facts)
	text := base64.StdEncoding.EncodeToString(packed.Bytes())
	of := (len(text) + longestPart - 1) / longestPart
	parts := make([]factsPart, of)
	for i := range parts {
		parts[i] = factsPart{Schema: factsPartSchema, Run: run, Part: i + 1, Of: of, SHA256: hex.EncodeToString(sum[:]),
			Data: text[i*longestPart : min(len(text), (i+1)*longestPart)]}
	}
	return parts, nil
}

// unpackFacts puts parts of one run together, in any order and some of them twice, and proves that the facts are what was packed.
func unpackFacts(parts []factsPart) ([]byte, error) {
	if len(parts) == 0 {
		return nil, errors.New("there is no part of them")
	}
	whole := parts[0]
	if whole.Of < 1 || whole.Of > mostFacts/longestPart {
		return nil, fmt.Errorf("they claim to have %d parts", whole.Of)
	}
	pieces := make([]string, whole.Of)
	for _, part := range parts {
		switch {
		case part.Run != whole.Run || part.Of != whole.Of || part.SHA256 != whole.SHA256:
			return nil, fmt.Errorf("part %d is of other facts than part %d", part.Part, whole.Part)
		case part.Part < 1 || part.Part > whole.Of || part.Data == "":
			return nil, fmt.Errorf("part %d of %d is no part", part.Part, part.Of)
		case pieces[part.Part-1] != "" && pieces[part.Part-1] != part.Data:
			return nil, fmt.Errorf("there are two of part %d, and they differ", part.Part)
		}
		pieces[part.Part-1] = part.Data
	}
	var missing []string
	for i, piece := range pieces {
		if piece == "" {
			missing = append(missing, fmt.Sprint(i+1))
		}
	}
	if len(missing) > 0 {
		return nil, fmt.Errorf("of %d parts these are missing: %s", whole.Of, strings.Join(missing, ", "))
	}
	packed, err := base64.StdEncoding.DecodeString(strings.Join(pieces, ""))
	if err != nil {
		return nil, err
	}
	zip, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, err
	}
	facts, err := io.ReadAll(io.LimitReader(zip, mostFacts+1))
	switch sum := sha256.Sum256(facts); {
	case err != nil:
		return nil, err
	case len(facts) > mostFacts:
		return nil, fmt.Errorf("they have more than %d bytes", mostFacts)
	case hex.EncodeToString(sum[:]) != whole.SHA256:
		return nil, fmt.Errorf("their sha256 is %x, and %s was sent", sum, whole.SHA256)
	case !json.Valid(facts):
		return nil, errors.New("they are no JSON")
	}
	return facts, nil
}
