package taxii

import (
	"crypto/sha256"
	"io"
	"net/http"

	"github.com/go-chi/chi/v5"

	"github.com/skjold-exchange/skjold/stix"
)

// addObjects is §5.5. Rights, media type and length are checked before the body is read. What has more than SyncObjects
// objects may be answered before they are stored.
func (s *Server) addObjects(w http.ResponseWriter, r *http.Request) error {
	c, rights, err := s.collection(r)
	if err != nil {
		return err
	}
	if !rights.Write {
		return forbidden("Your account may read this collection but not add objects to it.")
	}
	if err := checkContentType(r.Header); err != nil {
		return err
	}
	key, err := idempotencyKey(r.Header)
	if err != nil {
		return err
	}
	memory := &share{pool: &s.buffered}
	defer memory.release()
	submission, err := s.readSubmission(w, r, c, key, memory)
	if err != nil {
		return err
	}
	submission.Deferred = len(submission.Items) > s.opt.SyncObjects
	if p := exchangeOf(r).principal; p.Kind == PeerNode {
		if submission.Deferred {
			return tooManyOfPeer(s.opt.SyncObjects)
		}
		submission.sentBy(p.Name)
	}
	submission.Identity = exchangeOf(r).principal.Identity
	submission.Visible = s.visible(exchangeOf(r).principal, c)
	if !rights.Read {
		submission.Visible = func(stix.MarkingSet, bool) bool { return false }
	}
	ctx := s.storeContext(r)
	defer ctx.end()
	status, err := s.opt.Store.Add(ctx, submission)
	if err != nil {
		return err
	}
	s.metrics.submission(status)
	exchangeOf(r).sending = nil // the memory of the items covers the status, and what is stored must be answered
	return s.writeResource(w, r, http.StatusAccepted, status)
}

// readSubmission reads the body whole and lets the caller's credentials judge it, before anything of it has an effect. An
// idempotency key that is not "" becomes the submission's, with the content that it stands for.
func (s *Server) readSubmission(w http.ResponseWriter, r *http.Request, c Collection, key string, memory *share) (Submission, error) {
	p := exchangeOf(r).principal
	body, err := openBody(r, s.opt.MaxContentLength, p.CheckBody != nil)
	if err != nil {
		return Submission{}, err
	}
	body.content.memory = memory
	sum := sha256.New()
	if key != "" {
		body.content.src = io.TeeReader(body.content.src, sum)
	}
	defer withinTime(w, s.opt.BodyTimeout)()
	submission, err := s.intake.read(body, c, p.Name, memory)
	if failure := body.failure(); failure != nil {
		return Submission{}, failure
	}
	if err != nil {
		return Submission{}, err
	}
	if err := body.finish(); err != nil {
		return Submission{}, err
	}
	exchangeOf(r).bodyLeft = false
	if err := p.checkBody(body.sum.Sum(nil)); err != nil {
		return Submission{}, err
	}
	if key != "" {
		submission.Key = &IdempotencyKey{Name: key, Body: [32]byte(sum.Sum(nil))}
	}
	return submission, submission.namesNothing()
}

// deleteObject is §5.7, with its table of rights: who may neither read nor write is told nothing, who may only one of
// them is refused. Without match[version] every version goes.
func (s *Server) deleteObject(w http.ResponseWriter, r *http.Request) error {
	c, rights, err := s.collection(r)
	if err != nil {
		return err
	}
	if !rights.Read || !rights.Write {
		return forbidden("Deleting needs the rights to read and to write this collection.")
	}
	f, err := ParseFilter(r.URL.RawQuery, DeleteEndpoint)
	if err != nil {
		return err
	}
	id, err := stix.ParseIdentifier(chi.URLParam(r, "object"))
	if err != nil {
		return notFound()
	}
	p := exchangeOf(r).principal
	if err := readSmall(w, r, p, s.opt.BodyTimeout); err != nil {
		return err
	}
	version := f.Version
	if version.isZero() {
		version.All = true
	}
	ctx := s.storeContext(r)
	defer ctx.end()
	if _, err := s.opt.Store.Delete(ctx, Deletion{
		Collection: c.ID, ID: id, Version: version, SpecVersions: f.SpecVersions, Visible: s.visible(p, c),
	}); err != nil {
		return err
	}
	setCommonHeaders(w.Header())
	w.Header().Set("Content-Type", MediaType) // §5.7 has the header although there is no body
	w.WriteHeader(http.StatusOK)
	return nil
}
