package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/skjold-exchange/skjold/store"
)

// processJSON is a process of those that serve a node together.
type processJSON struct {
	Name    string   `json:"name"` // HOST:PID
	Started string   `json:"started"`
	Duties  []string `json:"duties"` // what it does for all of them
}

func processToJSON(p store.Process) processJSON {
	return processJSON{Name: p.Name, Started: jsonTime(p.Started), Duties: append([]string{}, p.Duties...)}
}

// printProcesses lists the processes of a hub for a person; nothing for a node on the embedded database.
func (a *app) printProcesses(list []processJSON) error {
	if len(list) == 0 {
		return nil
	}
	t := table{head: []string{"PROCESS", "STARTED", "DOES FOR ALL"}}
	for _, p := range list {
		started, _ := time.Parse(time.RFC3339Nano, p.Started)
		t.row(p.Name, ago(time.Now(), started), dutiesInWords(p.Duties))
	}
	if err := t.print(a.out); err != nil {
		return err
	}
	fmt.Fprintln(a.out)
	return nil
}

// dutiesInWords counts the subscriptions that a process pulls and the pushes that it sees to, and names its other duties.
func dutiesInWords(duties []string) string {
	var words []string
	pulls, pushes := 0, 0
	for _, duty := range duties {
		switch {
		case strings.HasPrefix(duty, pulling):
			pulls++
		case strings.HasPrefix(duty, pushing):
			pushes++
		default:
			words = append(words, duty)
		}
	}
	if pulls > 0 {
		words = append(words, "pulls "+counted(pulls, "subscription"))
	}
	if pushes > 0 {
		words = append(words, "pushes to "+counted(pushes, "collection"))
	}
	return strings.Join(words, ", ")
}
