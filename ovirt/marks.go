package ovirt

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strings"
	"unicode/utf8"
)

type (
	labelXML struct {
		XMLName xml.Name `xml:"affinity_label"`
		ID      string   `xml:"id,attr"`
		Name    string   `xml:"name"`
	}
	eventXMLBody struct {
		XMLName       xml.Name `xml:"event"`
		Origin        string   `xml:"origin"`
		CustomID      int      `xml:"custom_id"`
		Severity      string   `xml:"severity"`
		Description   string   `xml:"description"`
		CorrelationID string   `xml:"correlation_id,omitempty"`
		CustomData    string   `xml:"custom_data,omitempty"`
		VM            *refXML  `xml:"vm,omitempty"`
		Host          *refXML  `xml:"host,omitempty"`
		StorageDomain *refXML  `xml:"storage_domain,omitempty"`
		Template      *refXML  `xml:"template,omitempty"`
		Cluster       *refXML  `xml:"cluster,omitempty"`
		DataCenter    *refXML  `xml:"data_center,omitempty"`
	}
)

// AffinityLabels reads all affinity labels.
func (s *Site) AffinityLabels(ctx context.Context) ([]AffinityLabel, error) {
	return read(ctx, s, call{subject: Subject{Kind: "affinity_labels"}, path: "/affinitylabels"}, decodeLabels)
}

// CreateLabel makes an affinity label with a name and an id of the caller's choice. A label's name is unique in the engine's
// database, and its id tells its owner, so this is a lock: of several that race for a name, one succeeds (ovirt-engine
// AddLabelCommand.java, AffinityLabelMapper.java). The loser of a true race gets whatever error the database makes of it; so whatever
// the engine answers, the labels are read, and the id of the one with the name decides. One that has the id already is fine. One of
// another id is already-exists, with the holder's id in State.
func (s *Site) CreateLabel(ctx context.Context, name, id string) error {
	if problem := unfitLabel(name, id); problem != nil {
		return s.fail(OpCreateLabel, Subject{Kind: KindAffinityLabel, ID: id, Name: name}, CodeBadRequest, problem)
	}
	ctx, cancel := s.o.Clock.WithTimeout(patiently(ctx), operationTimeout)
	defer cancel()
	e := s.labelEnsurance(name, id)
	_, err := s.ensure(ctx, e)
	if failure, ok := asError(err); ok && failure.Code != CodeAlreadyExists && failure.Status != 0 && ctx.Err() == nil {
		if _, held := e.look(ctx, false); HasCode(held, CodeAlreadyExists) {
			return held
		}
	}
	return err
}

// labelEnsurance is the making of a label, whose look compares ids.
func (s *Site) labelEnsurance(name, id string) *ensurance {
	subject := Subject{Kind: KindAffinityLabel, ID: id, Name: name}
	var made AffinityLabel
	e := &ensurance{change: change{op: OpCreateLabel, subject: subject, method: http.MethodPost, path: "/affinitylabels",
		body: labelXML{ID: id, Name: name}, accept: acceptInto(decodeLabel, &made)}}
	e.look = func(ctx context.Context, _ bool) (bool, error) {
		labels, err := s.AffinityLabels(ctx)
		if err != nil {
			return false, err
		}
		for _, label := range labels {
			switch {
			case label.Name != name:
			case label.ID == id:
				return true, nil
			default:
				held := s.fail(OpCreateLabel, subject, CodeAlreadyExists, errors.New("another holder has it"))
				held.State = label.ID
				return false, held
			}
		}
		return false, nil
	}
	e.undone = func() *Error {
		return s.fail(OpCreateLabel, subject, CodeEngineError, errors.New("the engine said that it was created, and does not have it"))
	}
	return e
}

func plainName(text string) bool {
	for _, r := range text {
		if (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z') && r != '.' && r != '_' && r != '-' {
			return false
		}
	}
	return true
}

// DeleteLabel removes an affinity label by its id. A label that the engine does not have is fine. The engine refuses it once
// somebody has put the label on a VM or a host.
func (s *Site) DeleteLabel(ctx context.Context, id string) error {
	ctx, cancel := s.o.Clock.WithTimeout(patiently(ctx), operationTimeout)
	defer cancel()
	_, err := s.ensure(ctx, s.unlabelEnsurance(id))
	return err
}

// unlabelEnsurance is the removal of a label.
func (s *Site) unlabelEnsurance(id string) *ensurance {
	e := &ensurance{change: change{op: OpDeleteLabel, subject: Subject{Kind: KindAffinityLabel, ID: id}, method: http.MethodDelete,
		path: "/affinitylabels/" + segment(id), accept: acceptAction}}
	e.look = func(ctx context.Context, _ bool) (bool, error) {
		labels, err := s.AffinityLabels(ctx)
		if err != nil {
			return false, err
		}
		for _, label := range labels {
			if label.ID == id {
				e.change.subject.Name = label.Name
				return false, nil
			}
		}
		return true, nil
	}
	e.undone = func() *Error {
		return s.fail(OpDeleteLabel, e.change.subject, CodeEngineError, errors.New("the engine said that it was deleted, and still has it"))
	}
	return e
}

// PostEvent adds an event to the engine's audit log, where people see it, and returns it as the engine has it. An event of that
// origin and custom id that has the same description was posted before, and is fine; one with another description is
// already-exists, with that description in State. Callers take it as best effort: a mark that cannot be made stops no run.
func (s *Site) PostEvent(ctx context.Context, spec EventSpec) (posted Event, err error) {
	subject := Subject{Kind: KindEvent, ID: fmt.Sprint(spec.CustomID), Name: spec.Origin}
	if err := spec.check(); err != nil {
		return posted, s.fail(OpPostEvent, subject, CodeBadRequest, err)
	}
	ctx, cancel := s.o.Clock.WithTimeout(patiently(ctx), operationTimeout)
	defer cancel()
	body := eventXMLBody{Origin: spec.Origin, CustomID: spec.CustomID, Severity: spec.Severity, Description: spec.Description,
		CorrelationID: spec.CorrelationID, CustomData: spec.CustomData}
	for _, about := range []struct {
		to **refXML
		id string
	}{{&body.VM, spec.VMID}, {&body.Host, spec.HostID}, {&body.StorageDomain, spec.StorageDomainID}, {&body.Template, spec.TemplateID},
		{&body.Cluster, spec.ClusterID}, {&body.DataCenter, spec.DataCenterID}} {
		if about.id != "" {
			*about.to = &refXML{ID: about.id}
		}
	}
	// same tells whether an event of that origin and id is ours. Of two that race, the loser is given the winner's event with 201.
	same := func(event Event) (bool, error) {
		if strings.TrimSpace(event.Description) == strings.TrimSpace(spec.Description) {
			posted = event
			return true, nil
		}
		held := s.fail(OpPostEvent, subject, CodeAlreadyExists, errors.New("another event has the origin and the custom id"))
		held.State = event.Description
		return false, held
	}
	var answer Event
	e := &ensurance{change: change{op: OpPostEvent, subject: subject, method: http.MethodPost, path: "/events", aside: true, body: body, accept: acceptInto(decodeEvent, &answer)}}
	fresh := spec.Fresh
	e.look = func(ctx context.Context, sent bool) (bool, error) {
		if sent && answer.ID != 0 {
			return same(answer)
		}
		if fresh {
			fresh = false
			return false, nil
		}
		events, err := s.Events(ctx, EventQuery{Search: fmt.Sprintf("origin=%s and custom_event_id=%d", spec.Origin, spec.CustomID), Max: 5})
		if err != nil {
			return false, err
		}
		for _, event := range events {
			if event.Origin == spec.Origin && event.CustomID == spec.CustomID {
				return same(event)
			}
		}
		return false, nil
	}
	e.undone = func() *Error {
		return s.fail(OpPostEvent, subject, CodeEngineError, errors.New("the engine said that it was posted, and does not have it"))
	}
	_, err = s.ensure(ctx, e)
	return posted, err
}

func (spec EventSpec) check() error {
	switch {
	case spec.Origin == "" || !plainName(spec.Origin) || strings.EqualFold(spec.Origin, "ovirt"):
		return fmt.Errorf("%q is no origin of an event: letters, digits, '.', '_' and '-', and not \"oVirt\"", spec.Origin)
	case spec.CustomID < 1 || spec.CustomID > math.MaxInt32:
		return fmt.Errorf("%d is no custom id of an event", spec.CustomID)
	case len(spec.CorrelationID) > 50 || !plainName(spec.CorrelationID): // ovirt-engine create_tables.sql, audit_log
		return fmt.Errorf("%q is no correlation id of an event: up to 50 letters, digits, '.', '_' and '-'", spec.CorrelationID)
	case strings.TrimSpace(spec.Description) == "" || utf8.RuneCountInString(spec.Description) > 10000:
		return errors.New("an event needs a description of up to 10,000 characters")
	}
	switch spec.Severity {
	case "normal", "warning", "error", "alert":
		return nil
	}
	return fmt.Errorf("%q is no severity of an event", spec.Severity)
}
