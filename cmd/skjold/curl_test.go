package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
)

// curlMain is as much of curl as the README and the scripts use, so that the tests need nothing installed.
func curlMain() {
	if err := curl(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "curl:", err)
		os.Exit(1)
	}
}

func curl(args []string) error {
	req, err := http.NewRequest(http.MethodGet, "http://127.0.0.1/", nil)
	if err != nil {
		return err
	}
	var url string
	var showHeaders bool
	value := func() (string, error) {
		if len(args) == 0 {
			return "", errors.New("an option lacks its value")
		}
		v := args[0]
		args = args[1:]
		return v, nil
	}
	for len(args) > 0 {
		arg := args[0]
		args = args[1:]
		var v string
		switch arg {
		case "-s", "-sS", "-g", "-gs", "-sg":
		case "-i":
			showHeaders = true
		case "-u", "-H", "-X", "--data-binary", "-d":
			if v, err = value(); err != nil {
				return err
			}
		default:
			if strings.HasPrefix(arg, "-") {
				return fmt.Errorf("the option %s is not part of this stand-in", arg)
			}
			url = arg
		}
		switch arg {
		case "-u":
			user, password, _ := strings.Cut(v, ":")
			req.SetBasicAuth(user, password)
		case "-H":
			name, text, _ := strings.Cut(v, ":")
			req.Header.Set(name, strings.TrimSpace(text))
		case "-X":
			req.Method = v
		case "--data-binary", "-d":
			if err := setBody(req, v); err != nil {
				return err
			}
		}
	}
	if req.URL, err = req.URL.Parse(url); err != nil {
		return err
	}
	req.Host = cmp.Or(req.Header.Get("Host"), req.URL.Host)
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if showHeaders {
		fmt.Printf("%s %s\n", res.Proto, res.Status)
		if err := res.Header.Write(os.Stdout); err != nil {
			return err
		}
		fmt.Println()
	}
	_, err = io.Copy(os.Stdout, res.Body)
	return err
}

func setBody(req *http.Request, v string) error {
	text := []byte(v)
	if name, ok := strings.CutPrefix(v, "@"); ok {
		var err error
		if text, err = os.ReadFile(name); err != nil {
			return err
		}
	}
	if req.Method == http.MethodGet {
		req.Method = http.MethodPost
	}
	req.Body = io.NopCloser(strings.NewReader(string(text)))
	req.ContentLength = int64(len(text))
	return nil
}
