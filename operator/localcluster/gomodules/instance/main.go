// A test instance: an HTTP server whose answers are set from outside.
//
// It listens on 8080, or on the port its first argument names. PUT /_control takes
// {"status": 503, "delay": "1.5s", "hang": true, "exit": 1, "body": "..."}, each of them optional:
// what is not named is as at the start. GET /_control tells what is in force, and how many
// requests were answered. Every other path is answered by it.
//
// The control path always answers at once: a hanging instance can be cured.
package main

import (
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"
)

// Duration reads "1.5s" as time.ParseDuration does.
type Duration time.Duration

// UnmarshalText implements encoding.TextUnmarshaler.
func (d *Duration) UnmarshalText(text []byte) error {
	parsed, err := time.ParseDuration(string(text))
	*d = Duration(parsed)
	return err
}

// MarshalText implements encoding.TextMarshaler.
func (d Duration) MarshalText() ([]byte, error) {
	return []byte(time.Duration(d).String()), nil
}

// Behaviour is how requests are answered.
type Behaviour struct {
	Status int      `json:"status"`
	Delay  Duration `json:"delay"`
	Hang   bool     `json:"hang"`
	Exit   *int     `json:"exit,omitempty"`
	Body   string   `json:"body"`
}

type report struct {
	Behaviour
	Answered int64 `json:"answered"`
}

type instance struct {
	behaviour atomic.Pointer[Behaviour]
	answered  atomic.Int64
}

func healthy() *Behaviour {
	name, _ := os.Hostname()
	return &Behaviour{Status: http.StatusOK, Body: name + "\n"}
}

func (i *instance) control(writer http.ResponseWriter, request *http.Request) {
	switch request.Method {
	case http.MethodGet:
	case http.MethodPut:
		wanted := healthy()
		decoder := json.NewDecoder(request.Body)
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(wanted); err != nil {
			http.Error(writer, err.Error(), http.StatusBadRequest)
			return
		}
		if wanted.Status < 200 || wanted.Status > 999 {
			http.Error(writer, fmt.Sprintf("status %d: not 200 to 999", wanted.Status), http.StatusBadRequest)
			return
		}
		i.behaviour.Store(wanted)
		if wanted.Exit != nil {
			// Whoever asked is to hear that it was understood.
			time.AfterFunc(100*time.Millisecond, func() { os.Exit(*wanted.Exit) })
		}
	default:
		http.Error(writer, "GET or PUT", http.StatusMethodNotAllowed)
		return
	}
	writer.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(writer).Encode(report{*i.behaviour.Load(), i.answered.Load()})
}

func (i *instance) answer(writer http.ResponseWriter, request *http.Request) {
	behaviour := i.behaviour.Load()
	if behaviour.Hang {
		<-request.Context().Done()
		return
	}
	select {
	case <-time.After(time.Duration(behaviour.Delay)):
	case <-request.Context().Done():
		return
	}
	i.answered.Add(1)
	writer.WriteHeader(behaviour.Status)
	_, _ = writer.Write([]byte(behaviour.Body))
}

func main() {
	port := "8080"
	if len(os.Args) > 1 {
		port = os.Args[1]
	}
	var served instance
	served.behaviour.Store(healthy())
	http.HandleFunc("/_control", served.control)
	http.HandleFunc("/", served.answer)
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGINT, syscall.SIGTERM)
	go func() {
		<-ended
		os.Exit(0)
	}()
	log.Fatal(http.ListenAndServe(":"+port, nil))
}
