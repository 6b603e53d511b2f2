package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os/exec"
	"regexp"
	"strconv"
	"time"

	"golang.org/x/sync/errgroup"
)

// question is a request that is repeated.
type question struct {
	url    string
	header http.Header
}

// loader asks the same over some connections for a while and tells how many answers came in a second. An answer whose
// status is not 200 is an error.
type loader interface {
	name() string
	rate(ctx context.Context, q question, connections int, d time.Duration) (float64, error)
}

// findLoader is wrk where it is installed and wanted.
func findLoader(own bool) loader {
	if path, err := exec.LookPath("wrk"); err == nil && !own {
		return wrkLoad{path}
	}
	return ownLoad{}
}

// wrkLoad runs wrk with one thread.
type wrkLoad struct{ path string }

func (wrkLoad) name() string { return "wrk" }

var (
	wrkRate   = regexp.MustCompile(`Requests/sec:\s+([0-9.]+)`)
	wrkFailed = regexp.MustCompile(`(?m)^\s*(Non-2xx or 3xx responses|Socket errors): .*$`)
)

func (w wrkLoad) rate(ctx context.Context, q question, connections int, d time.Duration) (float64, error) {
	args := []string{"-t1", "-c" + strconv.Itoa(connections), fmt.Sprintf("-d%ds", max(1, int(d.Round(time.Second)/time.Second)))}
	for name, values := range q.header {
		args = append(args, "-H", name+": "+values[0]) // of a throw-away account on loopback
	}
	out, err := exec.CommandContext(ctx, w.path, append(args, q.url)...).CombinedOutput()
	if err != nil {
		return 0, fmt.Errorf("wrk: %w\n%s", err, out)
	}
	if failed := wrkFailed.Find(out); failed != nil {
		return 0, fmt.Errorf("wrk: %s", bytes.TrimSpace(failed))
	}
	m := wrkRate.FindSubmatch(out)
	if m == nil {
		return 0, fmt.Errorf("wrk: no rate in its output:\n%s", out)
	}
	return strconv.ParseFloat(string(m[1]), 64)
}

// ownLoad asks by itself. It reads no more of an answer than it has to, since it shares the machine with who answers.
type ownLoad struct{}

func (ownLoad) name() string { return "this program" }

func (ownLoad) rate(ctx context.Context, q question, connections int, d time.Duration) (float64, error) {
	request, host, err := q.bytes()
	if err != nil {
		return 0, err
	}
	ctx, cancel := context.WithTimeout(ctx, d+10*time.Second)
	defer cancel()
	begun := time.Now()
	end := begun.Add(d)
	counts := make([]int, connections)
	group, ctx := errgroup.WithContext(ctx)
	for i := range connections {
		group.Go(func() error {
			var dialer net.Dialer
			c, err := dialer.DialContext(ctx, "tcp", host)
			if err != nil {
				return err
			}
			defer c.Close()
			stop := context.AfterFunc(ctx, func() { c.Close() })
			defer stop()
			r := bufio.NewReaderSize(c, 64<<10)
			for time.Now().Before(end) {
				if _, err := c.Write(request); err != nil {
					return err
				}
				if err := skipAnswer(r); err != nil {
					return err
				}
				counts[i]++
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return 0, fmt.Errorf("asking %s: %w", q.url, err)
	}
	total := 0
	for _, n := range counts {
		total += n
	}
	return float64(total) / time.Since(begun).Seconds(), nil
}

// bytes is the request as it goes over the wire.
func (q question) bytes() (request []byte, host string, err error) {
	u, err := url.Parse(q.url)
	if err != nil {
		return nil, "", err
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "GET %s HTTP/1.1\r\nHost: %s\r\n", u.RequestURI(), u.Host)
	if err := q.header.Write(&b); err != nil {
		return nil, "", err
	}
	b.WriteString("\r\n")
	return b.Bytes(), u.Host, nil
}

// skipAnswer reads an answer with a Content-Length to its end.
func skipAnswer(r *bufio.Reader) error {
	status, err := r.ReadSlice('\n')
	if err != nil {
		return err
	}
	if len(status) < 12 || string(status[9:12]) != "200" {
		return fmt.Errorf("the answer is %q", bytes.TrimSpace(status))
	}
	length := int64(-1)
	for {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return err
		}
		line = bytes.TrimSpace(line)
		if len(line) == 0 {
			break
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		if bytes.EqualFold(name, []byte("Content-Length")) {
			if length, err = strconv.ParseInt(string(bytes.TrimSpace(value)), 10, 64); err != nil {
				return fmt.Errorf("Content-Length: %w", err)
			}
		}
	}
	if length < 0 {
		return fmt.Errorf("the answer has no Content-Length")
	}
	_, err = io.CopyN(io.Discard, r, length)
	return err
}
