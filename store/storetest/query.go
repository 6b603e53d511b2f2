package storetest

var queryTests []testCase
