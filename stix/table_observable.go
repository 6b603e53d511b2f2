package stix

// observableTable are the STIX Cyber-observable Objects (§6).
var observableTable = []spec{
	{"artifact", "6.1.1", `mime_type:string payload_bin:binary url:url hashes:hashes
		encryption_algorithm:@encryption-algorithm-enum decryption_key:string`, checkArtifact},
	{"autonomous-system", "6.2.1", `number!:int name:string rir:string`, nil},
	{"directory", "6.3.1", `path!:string path_enc:string ctime:time mtime:time atime:time
		contains_refs:[ref(file|directory)]`, checkDirectory},
	{"domain-name", "6.4.1", `value!:string resolves_to_refs:[ref(ipv4-addr|ipv6-addr|domain-name)]`,
		valueForm(isDomainName, "a domain name (RFC 1034, RFC 5890)")},
	{"email-addr", "6.5.1", `value!:string display_name:string belongs_to_ref:ref(user-account)`,
		valueForm(isEmailAddress, "an address of the form local@domain, without a display name (RFC 5322)")},
	{"email-message", "6.6.1", `is_multipart!:bool date:time content_type:string from_ref:ref(email-addr)
		sender_ref:ref(email-addr) to_refs:[ref(email-addr)] cc_refs:[ref(email-addr)] bcc_refs:[ref(email-addr)]
		message_id:string subject:string received_lines:[string] additional_header_fields:dict([string]) body:string
		body_multipart:[{email-mime-part-type}] raw_email_ref:ref(artifact)`, checkEmailMessage},
	{"file", "6.7.1", `hashes:hashes size:int(0,) name:string name_enc:string magic_number_hex:hex mime_type:string
		ctime:time mtime:time atime:time parent_directory_ref:ref(directory) contains_refs:[ref(SCO)]
		content_ref:ref(artifact)`, checkFile},
	{"ipv4-addr", "6.8.1", `value!:string resolves_to_refs:[ref(mac-addr)] belongs_to_refs:[ref(autonomous-system)]`,
		valueForm(isIPv4, "an IPv4 address or a CIDR block without leading zeros")},
	{"ipv6-addr", "6.9.1", `value!:string resolves_to_refs:[ref(mac-addr)] belongs_to_refs:[ref(autonomous-system)]`,
		valueForm(isIPv6, "an IPv6 address or a CIDR block, without a zone")},
	{"mac-addr", "6.10.1", `value!:string`, valueForm(isMAC, "six two-digit octets in lower case, separated by colons")},
	{"mutex", "6.11.1", `name!:string`, nil},
	{"network-traffic", "6.12.1", `start:time end:time is_active:bool
		src_ref:ref(ipv4-addr|ipv6-addr|mac-addr|domain-name) dst_ref:ref(ipv4-addr|ipv6-addr|mac-addr|domain-name)
		src_port:int(0,65535) dst_port:int(0,65535) protocols!:[string] src_byte_count:int(0,) dst_byte_count:int(0,)
		src_packets:int(0,) dst_packets:int(0,) ipfix:dict(scalar) src_payload_ref:ref(artifact)
		dst_payload_ref:ref(artifact) encapsulates_refs:[ref(network-traffic)]
		encapsulated_by_ref:ref(network-traffic)`, checkNetworkTraffic},
	{"process", "6.13.1", `is_hidden:bool pid:int created_time:time cwd:string command_line:string
		environment_variables:dict(string) opened_connection_refs:[ref(network-traffic)]
		creator_user_ref:ref(user-account) image_ref:ref(file) parent_ref:ref(process) child_refs:[ref(process)]`,
		needsProperty},
	{"software", "6.14.1", `name!:string cpe:string swid:string languages:[lang] vendor:string version:string`,
		checkSoftware},
	{"url", "6.15.1", `value!:url`, nil},
	{"user-account", "6.16.1", `user_id:string credential:string account_login:string account_type:@account-type-ov
		display_name:string is_service_account:bool is_privileged:bool can_escalate_privs:bool is_disabled:bool
		account_created:time account_expires:time credential_last_changed:time account_first_login:time
		account_last_login:time`, needsProperty},
	{"windows-registry-key", "6.17.1", `key:string values:[{windows-registry-value-type}] modified_time:time
		creator_user_ref:ref(user-account) number_of_subkeys:int`, checkRegistryKey},
	{"x509-certificate", "6.18.1", `is_self_signed:bool hashes:hashes version:string serial_number:string
		signature_algorithm:string issuer:string validity_not_before:time validity_not_after:time subject:string
		subject_public_key_algorithm:string subject_public_key_modulus:string subject_public_key_exponent:int
		x509_v3_extensions:{x509-v3-extensions-type}`, needsProperty},
}

// extensionHosts are the predefined extensions and the cyber-observables they belong to.
var extensionHosts = map[string]string{
	"archive-ext": "file", "ntfs-ext": "file", "pdf-ext": "file", "raster-image-ext": "file",
	"windows-pebinary-ext": "file", "http-request-ext": "network-traffic", "icmp-ext": "network-traffic",
	"socket-ext": "network-traffic", "tcp-ext": "network-traffic", "windows-process-ext": "process",
	"windows-service-ext": "process", "unix-account-ext": "user-account",
}

// embeddedTable are the structures inside objects, and the predefined extensions.
var embeddedTable = []spec{
	{"external-reference", "2.5.1", `source_name!:string description:string url:string hashes:hashes
		external_id:string`, checkExternalReference},
	{"kill-chain-phase", "2.11", `kill_chain_name!:string phase_name!:string`, checkKillChainPhase},
	{"granular-marking", "7.2.3", `lang:lang marking_ref:ref(marking-definition) selectors!:[string]`,
		checkGranularMarking},
	{"email-mime-part-type", "6.6.2", `body:string body_raw_ref:ref(artifact|file) content_type:string
		content_disposition:string`, checkMIMEPart},
	{"alternate-data-stream-type", "6.7.3", `name!:string hashes:hashes size:int(0,)`, nil},
	{"windows-pe-optional-header-type", "6.7.6", `magic_hex:hex major_linker_version:int minor_linker_version:int
		size_of_code:int(0,) size_of_initialized_data:int(0,) size_of_uninitialized_data:int(0,)
		address_of_entry_point:int base_of_code:int base_of_data:int image_base:int section_alignment:int
		file_alignment:int major_os_version:int minor_os_version:int major_image_version:int minor_image_version:int
		major_subsystem_version:int minor_subsystem_version:int win32_version_value_hex:hex size_of_image:int(0,)
		size_of_headers:int(0,) checksum_hex:hex subsystem_hex:hex dll_characteristics_hex:hex
		size_of_stack_reserve:int(0,) size_of_stack_commit:int(0,) size_of_heap_reserve:int(0,) size_of_heap_commit:int(0,)
		loader_flags_hex:hex number_of_rva_and_sizes:int hashes:hashes`, needsMember("6.7.6")},
	{"windows-pe-section-type", "6.7.6", `name!:string size:int(0,) entropy:float hashes:hashes`, nil},
	{"windows-registry-value-type", "6.17.2", `name:string data:string data_type:@windows-registry-datatype-enum`,
		needsMember("6.17.2")},
	{"x509-v3-extensions-type", "6.18.2", `basic_constraints:string name_constraints:string policy_constraints:string
		key_usage:string extended_key_usage:string subject_key_identifier:string authority_key_identifier:string
		subject_alternative_name:string issuer_alternative_name:string subject_directory_attributes:string
		crl_distribution_points:string inhibit_any_policy:string private_key_usage_period_not_before:time
		private_key_usage_period_not_after:time certificate_policies:string policy_mappings:string`, needsMember("6.18.2")},
	{"archive-ext", "6.7.2", `contains_refs!:[ref(file|directory)] comment:string`, nil},
	{"ntfs-ext", "6.7.3", `sid:string alternate_data_streams:[{alternate-data-stream-type}]`, needsMember("6.7.3")},
	{"pdf-ext", "6.7.4", `version:string is_optimized:bool document_info_dict:dict(string) pdfid0:string pdfid1:string`,
		needsMember("6.7.4")},
	{"raster-image-ext", "6.7.5", `image_height:int image_width:int bits_per_pixel:int exif_tags:dict(scalar)`,
		needsMember("6.7.5")},
	{"windows-pebinary-ext", "6.7.6", `pe_type!:@windows-pebinary-type-ov imphash:string machine_hex:hex
		number_of_sections:int(0,) time_date_stamp:time pointer_to_symbol_table_hex:hex number_of_symbols:int(0,)
		size_of_optional_header:int(0,) characteristics_hex:hex file_header_hashes:hashes
		optional_header:{windows-pe-optional-header-type} sections:[{windows-pe-section-type}]`, checkPEBinary},
	{"http-request-ext", "6.12.2", `request_method!:string request_value!:string request_version:string
		request_header:dict([string]) message_body_length:int message_body_data_ref:ref(artifact)`, nil},
	{"icmp-ext", "6.12.3", `icmp_type_hex!:hex icmp_code_hex!:hex`, nil},
	{"socket-ext", "6.12.4", `address_family!:@network-socket-address-family-enum is_blocking:bool is_listening:bool
		options:dict(int) socket_type:@network-socket-type-enum socket_descriptor:int(0,) socket_handle:int`,
		checkSocket},
	{"tcp-ext", "6.12.5", `src_flags_hex:hex dst_flags_hex:hex`, needsMember("6.12.5")},
	{"windows-process-ext", "6.13.2", `aslr_enabled:bool dep_enabled:bool priority:string owner_sid:string
		window_title:string windows_title:string startup_info:dict(any) integrity_level:@windows-integrity-level-enum`,
		checkWindowsProcess},
	{"windows-service-ext", "6.13.3", `service_name:string descriptions:[string] display_name:string
		group_name:string start_type:@windows-service-start-type-enum service_dll_refs:[ref(file)]
		service_type:@windows-service-type-enum service_status:@windows-service-status-enum`, needsMember("6.13.3")},
	{"unix-account-ext", "6.16.2", `gid:int groups:[string] home_dir:string shell:string`, needsMember("6.16.2")},
}
