package storetest

var statusTests []testCase
