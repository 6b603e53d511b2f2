package main

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/skjold-exchange/skjold/stix"
	"github.com/skjold-exchange/skjold/taxii"
)

// statusWait is how long doctor waits for a submission to be processed; taxii2-client waits a minute.
const statusWait = 30 * time.Second

// roundTrip adds an indicator, reads it back, adds it again and deletes it.
func (d *doctor) roundTrip() {
	if !d.writable {
		d.note(resultFault, "write", "5.2", "this account may not write to the collection: ask the server's operator for the right")
		return
	}
	d.strangersWrite()
	raw, err := newFeed(uint64(time.Now().UnixNano()), time.Now().Add(-time.Hour)).indicator(stix.TLPGreen)
	if err != nil {
		d.note(resultFault, "write", "5.5", "%v", err)
		return
	}
	id, _ := stix.Identity(raw)
	before := d.addedAt(id)
	if !d.addWithBroken(raw, id) {
		return
	}
	d.readBack(raw, id)
	d.addAgain(raw, id, before)
	d.remove(id)
}

// strangersWrite posts without an account: nobody may, and nothing of the body is to be judged before that is said.
func (d *doctor) strangersWrite() {
	if d.user == "" && d.token == "" {
		return
	}
	r, err := d.post("not even JSON", taxii.MediaType, "Authorization", "")
	switch {
	case err != nil:
		d.note(resultWarning, "write", "5.5", "a POST without an account: %v", err)
	case r.StatusCode < 300:
		d.note(resultFault, "write", "1.6.9", "a POST without an account answers %s: anybody may write", r.Status)
	case r.StatusCode != http.StatusUnauthorized && r.StatusCode != http.StatusForbidden && r.StatusCode != http.StatusNotFound:
		d.note(resultWarning, "write", "1.6.9", "a POST without an account answers %s: the body is read before the account is known, so strangers make the "+
			"server work", r.Status)
	default:
		d.note(resultOK, "write", "1.6.9", "a POST without an account answers %d", r.StatusCode)
	}
}

func (d *doctor) post(body, mediaType string, headers ...string) (reply, error) {
	return d.do(http.MethodPost, d.content+"objects/", []byte(body), append([]string{"Content-Type", mediaType}, headers...)...)
}

// addWithBroken adds a good object together with a broken one: the one is to be stored and the other to be listed as a
// failure. A server that refuses both gets the good one alone. It reports whether the good one is there.
func (d *doctor) addWithBroken(raw []byte, id string) bool {
	broken := "indicator--" + uuid.NewString()
	envelope := fmt.Sprintf(`{"objects":[%s,{"type":"indicator","spec_version":"2.1","id":%q}]}`, raw, broken)
	r, err := d.post(envelope, taxii.MediaType)
	if err != nil {
		d.note(resultFault, "write", "5.5", "%v", err)
		return false
	}
	if r.StatusCode >= 400 && r.StatusCode < 500 {
		d.note(resultWarning, "write", "5.5", "one broken object fails the whole request (%s): a client that sends many loses all of them", r.Status)
		if got, err := d.get(d.content + "objects/" + id + "/"); err == nil && got.StatusCode == http.StatusOK {
			d.note(resultFault, "write", "5.5", "the request was refused (%s), but part of it was stored", r.Status)
			return true
		}
		if r, err = d.post(string(taxii.JoinEnvelope([][]byte{raw})), taxii.MediaType); err != nil {
			d.note(resultFault, "write", "5.5", "%v", err)
			return false
		}
		broken = ""
	}
	status, ok := d.accepted(r)
	if !ok {
		return false
	}
	for _, f := range status.Failures {
		if f.ID == id {
			d.note(resultFault, "write", "5.5", "the server refused the indicator: %s", orElse(f.Message, "no reason given"))
			return false
		}
		if f.Message == "" {
			d.note(resultWarning, "write", "4.3.1", "the failure of %s has no message; people see no reason", f.ID)
		}
	}
	if broken != "" && status.FailureCount == 0 {
		d.note(resultWarning, "write", "5.5", "an indicator without a pattern was accepted: the server does not check objects")
		_ = d.client.Delete(d.ctx, d.collectionID(), broken) // it is nobody's; where it stays there is nothing to be done
	}
	d.note(resultOK, "write", "5.5", "an indicator was added (status %s)", status.Status)
	return true
}

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

// accepted reads the status of a submission, and waits until it is complete.
func (d *doctor) accepted(r reply) (taxii.Status, bool) {
	var status taxii.Status
	switch {
	case r.StatusCode != http.StatusAccepted:
		d.note(resultFault, "write", "5.5", "the POST answers %s instead of 202: %.200s", r.Status, r.body)
		return status, false
	case r.decode(&status) != nil || status.ID == "":
		d.note(resultFault, "write", "4.3.1", "the 202 has no status resource; clients can't tell what became of the objects")
		return status, false
	}
	deadline := time.Now().Add(statusWait)
	read, err := d.client.Status(d.ctx, status.ID)
	for ; err == nil && read.Status == "pending" && time.Now().Before(deadline); read, err = d.client.Status(d.ctx, status.ID) {
		select {
		case <-d.ctx.Done():
			return status, false
		case <-time.After(time.Second):
		}
	}
	switch {
	case err != nil:
		d.note(resultFault, "status", "4.3", "the status of the submission can't be read: %v", err)
	case read.Status == "pending":
		d.note(resultFault, "status", "4.3", "the submission is still pending after %s", statusWait)
		return read, false
	default:
		status = read
		d.note(resultOK, "status", "4.3", "the status can be read again")
	}
	if status.TotalCount != status.SuccessCount+status.FailureCount+status.PendingCount ||
		!listed(status.Successes, status.SuccessCount) || !listed(status.Failures, status.FailureCount) || !listed(status.Pendings, status.PendingCount) {
		d.note(resultFault, "status", "4.3.1", "the counts of the status do not add up, or its lists do not have as many items: taxii2-client fails on that")
	}
	return status, true
}

// listed reports that a list of details has as many items as are counted; it may be left out.
func listed(list []taxii.StatusDetail, n int) bool { return len(list) == 0 || len(list) == n }

// readBack reads what was added, alone and at the end of the collection.
func (d *doctor) readBack(raw []byte, id string) {
	r, err := d.get(d.content + "objects/" + id + "/")
	var e examinedEnvelope
	if err == nil {
		err = r.decode(&e)
	}
	switch {
	case err != nil:
		d.note(resultFault, "read back", "5.6", "%v", err)
	case len(e.Objects) != 1:
		d.note(resultFault, "read back", "5.6", "the indicator is not there (%s)", r.Status)
	case !bytes.Equal(bytes.TrimSpace(e.Objects[0]), raw):
		d.note(resultWarning, "read back", "", "the indicator came back in other bytes than it was sent")
	default:
		d.note(resultOK, "read back", "5.6", "the indicator came back as it was sent")
	}
}

// addedAt is the date added of an object, "" where it is not held.
func (d *doctor) addedAt(id string) string {
	r, err := d.get(d.content + "manifest/?match[id]=" + id)
	var m taxii.Manifest
	if err != nil || r.StatusCode != http.StatusOK || r.decode(&m) != nil || len(m.Objects) == 0 {
		return ""
	}
	return m.Objects[0].DateAdded
}

// addAgain adds the same object once more, as a bundle: most clients that push send bundles, and send things again.
func (d *doctor) addAgain(raw []byte, id, before string) {
	first := d.addedAt(id)
	if first == "" || before != "" {
		d.note(resultFault, "write", "5.3", "the manifest has the new object at %q, and had it before at %q", first, before)
		return
	}
	bundle := `{"type":"bundle","id":"bundle--` + uuid.NewString() + `","objects":[` + string(raw) + `]}`
	r, err := d.post(bundle, taxii.MediaType)
	if err == nil && r.StatusCode >= 400 {
		d.note(resultWarning, "write", "3.7", "a STIX bundle is refused (%s); python-stix2, Splunk's CTIS app and OpenCTI send bundles", r.Status)
		r, err = d.post(string(taxii.JoinEnvelope([][]byte{raw})), taxii.MediaType)
	}
	if err != nil {
		d.note(resultFault, "write", "5.5", "adding it again: %v", err)
		return
	}
	status, ok := d.accepted(r)
	switch again := d.addedAt(id); {
	case !ok:
	case status.FailureCount > 0:
		d.note(resultFault, "write", "5.5", "adding the same object again is a failure; it is to be a success that changes nothing")
	case again != first:
		d.note(resultFault, "write", "5.5", "adding the same object again gives it a new date added: every client receives it again, and some pay for each")
	default:
		d.note(resultOK, "write", "5.5", "adding the same object again changes nothing")
	}
}

// remove deletes what was added.
func (d *doctor) remove(id string) {
	if err := d.client.Delete(d.ctx, d.collectionID(), id); err != nil {
		d.note(resultWarning, "delete", "5.7", "the indicator %s stays: %v", id, err)
		return
	}
	if r, err := d.get(d.content + "objects/" + id + "/"); err == nil && r.StatusCode != http.StatusNotFound {
		d.note(resultFault, "delete", "5.7", "after the DELETE the object still answers %s", r.Status)
		return
	}
	d.note(resultOK, "delete", "5.7", "the indicator was deleted again")
}

// collectionID is the segment that names the collection in its address.
func (d *doctor) collectionID() string {
	return strings.TrimSuffix(strings.TrimPrefix(d.content, d.root+"collections/"), "/")
}
