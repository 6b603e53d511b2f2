package main

import (
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/skjold-exchange/skjold/federation"
	"github.com/skjold-exchange/skjold/taxii"
)

// pageDirectory is a directory with everything that the page can show.
func pageDirectory() *federation.Directory {
	at := time.Date(2027, time.March, 1, 9, 30, 0, 0, time.UTC)
	until := at.Add(72 * time.Hour)
	hash := func(s string) federation.Hash { return federation.HashOf([]byte(s)) }
	declaration := federation.Declaration{URL: "https://declarations.example/a?<b>", SHA256: hash("d")}
	member := func(name string, s federation.Standing, by federation.Hash) federation.ListedMember {
		return federation.ListedMember{
			Entity: federation.EntityID("https://" + name + ".example"), Name: "The " + name, OrgID: "cvr:1", Class: "company", Hub: "https://hub.example",
			Declaration: &declaration, Standing: s, Since: at, Admission: hash("admission"), By: by,
		}
	}
	suspended := member("suspect", federation.Suspended, hash("order"))
	suspended.OrderedBy, suspended.Until, suspended.Reason = "https://one.example", &until, "its <feed> is false"
	expelled := member("outcast", federation.Expelled, hash("expulsion"))
	expelled.Reason = "it sold what it read"
	decision := func(name string, kind federation.ProposalKind) federation.ListedDecision {
		return federation.ListedDecision{
			Hash: hash(name), Kind: kind, Subject: "https://outcast.example", At: at, Charter: 1, Rule: federation.MoreThanHalf, For: 2, Founders: 3, Nominator: "https://one.example",
			Votes: []federation.ListedVote{
				{Founder: "https://one.example", Name: "Founder One", Choice: federation.For, At: at},
				{Founder: "https://two.example", Name: "Founder Two", Choice: federation.Against, At: at},
			},
			Silent: []string{"Founder Three"},
		}
	}
	return &federation.Directory{
		Name: "A <shared> shield", Charter: hash("charter"), Version: 1, Since: at, Rules: federation.DefaultRules(),
		Founders: []federation.ListedFounder{{Entity: "https://one.example", Name: "Founder One"}}, Anchors: []federation.EntityID{"https://secretariat.example"},
		Members: []federation.ListedMember{member("waterworks", federation.InGood, hash("admission")), suspended, expelled, member("returned", federation.Stranger, "")},
		Classes: []federation.ListedClass{
			{Name: "The municipalities", Class: "municipality", Hub: "https://hub.example", Declaration: declaration, Since: at, Admission: hash("admission"), Members: federation.ClassList{"cvr:2", "cvr:3"}},
			{Name: "The schools", Class: "school", Hub: "https://hub.example", Declaration: declaration, Since: at, Admission: hash("admission")},
		},
		Decisions: []federation.ListedDecision{decision("admission", federation.Admission), decision("expulsion", federation.Expulsion)},
		Contested: []federation.Hash{hash("second charter")},
	}
}

// TestDirectoryPage: the page shows who belongs to the federation, in which standing and by whose votes, and loads nothing.
func TestDirectoryPage(t *testing.T) {
	w := httptest.NewRecorder()
	if err := writeDirectoryPage(w, pageDirectory()); err != nil {
		t.Fatal(err)
	}
	page := w.Body.String()
	words := strings.Join(strings.Fields(regexp.MustCompile(`<[^>]*>`).ReplaceAllString(page, " ")), " ")
	for _, want := range []string{
		"A &lt;shared&gt; shield", "1 founder; 1 member by name; 2 members of the class The municipalities; the class The schools; 1 suspended; 1 expelled; 2 decisions.",
		"more than 1/2 to admit a member", "Founder One https://one.example",
		"Suspended since 1 March 2027 09:30 UTC by the word of Founder One alone, until 4 March 2027 09:30 UTC unless the founders decide otherwise: its &lt;feed&gt; is false",
		"Expelled since 1 March 2027 09:30 UTC: it sold what it read", "Expulsion by 2 of 3 founders on 1 March 2027",
		"The waterworks Entity https://waterworks.example Organisation cvr:1", "Member since 1 March 2027 Admitted by 2 of 3 founders",
		"2 organisations cvr:2, cvr:3", "their list is not held here", "Reinstated members of classes",
		"Founder One for, on 1 March 2027 09:30 UTC", "Founder Two against, on", "Founder Three did not vote", "Founders have signed two charters",
	} {
		if !strings.Contains(words, want) {
			t.Errorf("the page says nothing of %q:\n%s", want, words)
		}
	}
	// Every decision that is linked to is on the page.
	for _, link := range regexp.MustCompile(`href="#([^"]+)"`).FindAllStringSubmatch(page, -1) {
		if !strings.Contains(page, `id="`+link[1]+`"`) {
			t.Errorf("the link to %s leads nowhere", link[1])
		}
	}
	if loads := regexp.MustCompile(`(?i)<(script|img|link|iframe|object|form)|\bsrc=|url\(|@import|ZgotmplZ`).FindString(page); loads != "" {
		t.Errorf("the page has %q", loads)
	}
	if got := w.Header().Get("Content-Security-Policy"); got != taxii.PagePolicy() || !strings.Contains(got, "default-src 'none'") {
		t.Errorf("the policy is %q", got)
	}
	if !strings.Contains(page, `<meta name="viewport" content="width=device-width`) {
		t.Error("the page is not made for a phone")
	}
}
