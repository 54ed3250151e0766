package simforce

// fieldOption adjusts a field that one of the short constructors made.
type fieldOption func(*Field)

func required(f *Field)   { f.Required = true }
func readOnly(f *Field)   { f.ReadOnly = true }
func createOnly(f *Field) { f.CreateOnly = true }
func nameField(f *Field)  { f.NameField = true }
func noFilter(f *Field)   { f.NoFilter = true }
func htmlText(f *Field)   { f.HTML = true }
func alwaysSeen(f *Field) { f.System = true }

func withDefault(v any) fieldOption { return func(f *Field) { f.Default = v } }

// children names the list seen from the parent; rows go with the parent.
func children(name string) fieldOption {
	return func(f *Field) { f.Children, f.Cascade = name, true }
}

// kept names the list seen from the parent; rows outlive the parent.
func kept(name string) fieldOption { return func(f *Field) { f.Children = name } }

func formula(path string) fieldOption { return func(f *Field) { f.Formula = path } }

func newField(t FieldType, name, label string, options []fieldOption) *Field {
	f := &Field{Name: name, Label: label, Type: t}
	for _, o := range options {
		o(f)
	}
	return f
}

func str(name, label string, length int, o ...fieldOption) *Field {
	f := newField(TypeString, name, label, o)
	f.Length = length
	return f
}

func email(name, label string, o ...fieldOption) *Field {
	f := newField(TypeEmail, name, label, o)
	f.Length = 80
	return f
}

func phone(name, label string, o ...fieldOption) *Field {
	f := newField(TypePhone, name, label, o)
	f.Length = 40
	return f
}

func link(name, label string, o ...fieldOption) *Field {
	f := newField(TypeURL, name, label, o)
	f.Length = 255
	return f
}

func area(name, label string, length int, o ...fieldOption) *Field {
	f := newField(TypeTextarea, name, label, o)
	f.Length = length
	return f
}

func flag(name, label string, o ...fieldOption) *Field {
	f := newField(TypeBoolean, name, label, o)
	f.Required = true
	if f.Default == nil {
		f.Default = false
	}
	return f
}

func datetime(name, label string, o ...fieldOption) *Field {
	return newField(TypeDatetime, name, label, o)
}

func date(name, label string, o ...fieldOption) *Field { return newField(TypeDate, name, label, o) }

func integer(name, label string, o ...fieldOption) *Field {
	f := newField(TypeInt, name, label, o)
	f.Digits = 9
	return f
}

func double(name, label string, precision, scale int, o ...fieldOption) *Field {
	f := newField(TypeDouble, name, label, o)
	f.Precision, f.Scale = precision, scale
	return f
}

func picklist(name, label string, values []string, o ...fieldOption) *Field {
	f := newField(TypePicklist, name, label, o)
	f.Length, f.Values = 255, values
	return f
}

func combobox(name, label string, values []string, o ...fieldOption) *Field {
	f := newField(TypeCombobox, name, label, o)
	f.Length, f.Values = 255, values
	return f
}

func restricted(f *Field) { f.Restricted = true }

func anything(name, label string) *Field {
	f := newField(TypeAny, name, label, nil)
	f.Length = 255
	return f
}

func ref(name, label, relationship string, targets []string, o ...fieldOption) *Field {
	f := newField(TypeReference, name, label, o)
	f.Length, f.Relationship, f.ReferenceTo = 18, relationship, targets
	return f
}

// address is a compound field after the fields it is made of.
func address(prefix, label string) []*Field {
	part := func(f *Field) *Field {
		f.Compound = prefix + "Address"
		return f
	}
	whole := newField(TypeAddress, prefix+"Address", label+" Address", []fieldOption{readOnly})
	return []*Field{
		part(area(prefix+"Street", label+" Street", 255)), part(str(prefix+"City", label+" City", 40)),
		part(str(prefix+"State", label+" State/Province", 80)), part(str(prefix+"PostalCode", label+" Zip/Postal Code", 20)),
		part(str(prefix+"Country", label+" Country", 80)), whole,
	}
}

func file(name, label string, o ...fieldOption) *Field { return newField(TypeBase64, name, label, o) }

func one(target string) []string { return []string{target} }

// object puts the fields every object has around those of its own.
func object(name, label, plural, prefix string, fields ...*Field) *Object {
	id := newField(TypeID, "Id", label+" ID", []fieldOption{required, readOnly, alwaysSeen})
	id.Length, id.Default = 18, nil
	all := append([]*Field{id, flag("IsDeleted", "Deleted", readOnly, alwaysSeen)}, fields...)
	all = append(all,
		datetime("CreatedDate", "Created Date", required, readOnly, alwaysSeen),
		ref("CreatedById", "Created By ID", "CreatedBy", one("User"), required, readOnly, alwaysSeen),
		datetime("LastModifiedDate", "Last Modified Date", required, readOnly, alwaysSeen),
		ref("LastModifiedById", "Last Modified By ID", "LastModifiedBy", one("User"), required, readOnly, alwaysSeen),
		datetime("SystemModstamp", "System Modstamp", required, readOnly, alwaysSeen),
	)
	o := &Object{Name: name, Label: label, Plural: plural, KeyPrefix: prefix, Fields: all}
	o.prepare()
	return o
}

// historyFields are the fields of Case whose changes make a CaseHistory row.
var historyFields = []string{"Status", "Priority", "Owner"}

var (
	caseStatuses   = []string{"New", "Working", "Escalated", "Waiting for Customer", "Closed"}
	casePriorities = []string{"Low", "Medium", "High", "Critical"}
	caseOrigins    = []string{"Email", "Phone", "Web"}
)

// standardObjects is the schema each org starts with.
func standardObjects() []*Object {
	user := object("User", "User", "Users", "005",
		str("Username", "Username", 80, required),
		str("LastName", "Last Name", 80, required),
		str("FirstName", "First Name", 40),
		str("Name", "Full Name", 121, required, readOnly, nameField),
		str("Alias", "Alias", 8, required),
		email("Email", "Email", required),
		str("Title", "Title", 80),
		phone("Phone", "Phone"),
		flag("IsActive", "Active", withDefault(true)),
		picklist("TimeZoneSidKey", "Time Zone", []string{"GMT", "Europe/Berlin", "America/Los_Angeles"}, required, restricted, withDefault("GMT")),
		picklist("LocaleSidKey", "Locale", []string{"en_US", "en_GB", "de_DE"}, required, restricted, withDefault("en_US")),
		picklist("LanguageLocaleKey", "Language", []string{"en_US", "de"}, required, restricted, withDefault("en_US")),
		picklist("UserType", "User Type", []string{"Standard", "AutomatedProcess"}, readOnly, restricted, withDefault("Standard")),
	)
	group := object("Group", "Group", "Group", "00G",
		str("Name", "Name", 40, required, nameField),
		str("DeveloperName", "Developer Name", 80),
		picklist("Type", "Type", []string{"Regular", "Queue", "Organization"}, required, restricted, createOnly, withDefault("Queue")),
		email("Email", "Email"),
	)
	account := object("Account", "Account", "Accounts", "001", append(address("Billing", "Billing"),
		ref("MasterRecordId", "Master Record ID", "MasterRecord", one("Account"), readOnly, alwaysSeen),
		str("Name", "Account Name", 255, required, nameField),
		picklist("Type", "Account Type", []string{"Prospect", "Customer - Direct", "Customer - Channel", "Partner", "Other"}),
		ref("ParentId", "Parent Account ID", "Parent", one("Account"), kept("ChildAccounts")),
		phone("Phone", "Account Phone"),
		link("Website", "Website"),
		picklist("Industry", "Industry", []string{"Technology", "Finance", "Healthcare", "Retail", "Manufacturing", "Other"}),
		integer("NumberOfEmployees", "Employees"),
		area("Description", "Account Description", 32000),
		ref("OwnerId", "Owner ID", "Owner", one("User"), required),
	)...)
	contact := object("Contact", "Contact", "Contacts", "003", append(address("Mailing", "Mailing"),
		ref("MasterRecordId", "Master Record ID", "MasterRecord", one("Contact"), readOnly, alwaysSeen),
		ref("AccountId", "Account ID", "Account", one("Account"), children("Contacts")),
		str("LastName", "Last Name", 80, required),
		str("FirstName", "First Name", 40),
		str("Name", "Full Name", 121, required, readOnly, nameField),
		email("Email", "Email"),
		phone("Phone", "Business Phone"),
		str("Title", "Title", 128),
		date("Birthdate", "Birthdate"),
		area("Description", "Contact Description", 32000),
		ref("OwnerId", "Owner ID", "Owner", one("User"), required),
	)...)
	cases := object("Case", "Case", "Cases", "500",
		ref("MasterRecordId", "Master Record ID", "MasterRecord", one("Case"), readOnly, alwaysSeen),
		str("CaseNumber", "Case Number", 30, required, readOnly, alwaysSeen, nameField, func(f *Field) { f.AutoNumber, f.IDLookup = true, true }),
		ref("ContactId", "Contact ID", "Contact", one("Contact"), kept("Cases")),
		ref("AccountId", "Account ID", "Account", one("Account"), kept("Cases")),
		ref("ParentId", "Parent Case ID", "Parent", one("Case"), kept("Cases")),
		str("SuppliedName", "Name", 80),
		email("SuppliedEmail", "Email Address"),
		str("SuppliedPhone", "Phone", 40),
		str("SuppliedCompany", "Company", 80),
		picklist("Type", "Case Type", []string{"Question", "Problem", "Feature Request"}),
		picklist("Status", "Status", caseStatuses, withDefault("New")),
		picklist("Reason", "Case Reason", []string{"Installation", "Performance", "Billing", "Other"}),
		picklist("Origin", "Case Origin", caseOrigins),
		str("Subject", "Subject", 255),
		picklist("Priority", "Priority", casePriorities, withDefault("Medium")),
		area("Description", "Description", 32000),
		flag("IsClosed", "Closed", readOnly),
		datetime("ClosedDate", "Closed Date", readOnly),
		flag("IsEscalated", "Escalated"),
		ref("OwnerId", "Owner ID", "Owner", []string{"Group", "User"}, required),
		email("ContactEmail", "Contact Email", formula("Contact.Email")),
		phone("ContactPhone", "Contact Phone", formula("Contact.Phone")),
		area("Comments", "Internal Comments", 4000, noFilter),
		str("Account_Name__c", "Account Name (formula)", 255, formula("Account.Name")),
	)
	message := object("EmailMessage", "Email Message", "Email Messages", "02s",
		ref("ParentId", "Case ID", "Parent", one("Case"), children("EmailMessages")),
		ref("ActivityId", "Activity ID", "Activity", one("Task"), kept("")),
		area("TextBody", "Text Body", 131072),
		area("HtmlBody", "HTML Body", 131072, htmlText),
		area("Headers", "Headers", 131072),
		str("Subject", "Subject", 4000),
		str("FromName", "From Name", 1000),
		email("FromAddress", "From Address"),
		picklist("ValidatedFromAddress", "From", nil),
		str("ToAddress", "To Address", 4000),
		str("CcAddress", "CC Address", 4000),
		str("BccAddress", "BCC Address", 4000),
		flag("Incoming", "Is Incoming"),
		flag("HasAttachment", "Has Attachment", readOnly),
		picklist("Status", "Status", []string{"0", "1", "2", "3", "4", "5"}, required, restricted, withDefault("0")),
		datetime("MessageDate", "Message Date"),
		ref("ReplyToEmailMessageId", "Email Message ID", "ReplyToEmailMessage", one("EmailMessage"), kept("EmailMessages")),
		flag("IsPrivateDraft", "Is Private Draft", readOnly),
		flag("IsExternallyVisible", "Is Externally Visible"),
		str("MessageIdentifier", "Message ID", 765),
		str("ThreadIdentifier", "Thread ID", 765),
		flag("IsClientManaged", "Is Client Managed"),
		ref("RelatedToId", "Related To ID", "RelatedTo", []string{"Account", "Case", "Contact"}, kept("Emails")),
		picklist("AutomationType", "Automation Type", []string{"Manual", "Automated"}),
	)
	comment := object("CaseComment", "Case Comment", "Case Comments", "00a",
		ref("ParentId", "Parent ID", "Parent", one("Case"), required, createOnly, children("CaseComments")),
		flag("IsPublished", "Published"),
		area("CommentBody", "Body", 4000),
	)
	task := object("Task", "Task", "Tasks", "00T",
		ref("WhoId", "Name ID", "Who", one("Contact"), kept("Tasks")),
		ref("WhatId", "Related To ID", "What", []string{"Account", "Case"}, children("Tasks")),
		ref("AccountId", "Account ID", "Account", one("Account"), readOnly, kept("")),
		combobox("Subject", "Subject", []string{"Call", "Email", "Send Letter", "Other"}),
		date("ActivityDate", "Due Date Only"),
		picklist("Status", "Status", []string{"Not Started", "In Progress", "Completed"}, required, withDefault("Not Started")),
		picklist("Priority", "Priority", []string{"High", "Normal", "Low"}, required, withDefault("Normal")),
		ref("OwnerId", "Assigned To ID", "Owner", []string{"Group", "User"}, required),
		area("Description", "Description", 32000),
		picklist("TaskSubtype", "Task Subtype", []string{"Task", "Email", "ListEmail", "Call"}, createOnly, restricted),
		picklist("CallType", "Call Type", []string{"Internal", "Inbound", "Outbound"}),
		str("CallDisposition", "Call Result", 255),
		integer("CallDurationInSeconds", "Call Duration"),
		flag("IsArchived", "Archived", readOnly),
		flag("IsRecurrence", "Create Recurring Series of Tasks"),
	)
	relation := object("EmailMessageRelation", "Email Message Relation", "Email Message Relations", "0D6",
		ref("EmailMessageId", "Email Message ID", "EmailMessage", one("EmailMessage"), required, createOnly, children("EmailMessageRelations")),
		ref("RelationId", "Relation ID", "Relation", []string{"Contact", "User"}, createOnly, kept("EmailMessageRelations")),
		picklist("RelationType", "Relation Type", []string{"ToAddress", "CcAddress", "BccAddress", "FromAddress", "OtherAddress"}, required, restricted, createOnly),
		str("RelationAddress", "Relation Address", 1000, createOnly),
		str("RelationObjectType", "Relation Object Type", 80, readOnly),
	)
	relation.NoModified = true
	feed := object("FeedItem", "Feed Item", "Feed Items", "0D5",
		ref("ParentId", "Parent ID", "Parent", []string{"Account", "Case", "Contact", "User"}, required, createOnly, children("")),
		picklist("Type", "Feed Item Type", []string{"TextPost", "ContentPost", "LinkPost", "CaseCommentPost", "EmailMessageEvent", "TrackedChange"}, restricted, createOnly, withDefault("TextPost")),
		area("Body", "Body", 10000, noFilter),
		str("Title", "Title", 255),
		flag("IsRichText", "Is Rich Text"),
		picklist("Status", "Status", []string{"Published", "PendingReview"}, restricted, withDefault("Published")),
		integer("Revision", "Revision", readOnly, required, withDefault(int64(1))),
		integer("CommentCount", "Comment Count", readOnly, required, withDefault(int64(0))),
		ref("InsertedById", "InsertedBy ID", "InsertedBy", one("User"), readOnly),
	)
	feed.NoWhole = true
	remark := object("FeedComment", "Feed Comment", "Feed Comments", "0D7",
		ref("FeedItemId", "Feed Item ID", "", one("FeedItem"), required, createOnly, children("FeedComments")),
		ref("ParentId", "Parent ID", "Parent", []string{"Account", "Case", "Contact", "User"}, readOnly, kept("")),
		area("CommentBody", "Comment Body", 10000, noFilter),
		picklist("CommentType", "Comment Type", []string{"TextComment", "ContentComment"}, restricted, createOnly, withDefault("TextComment")),
		flag("IsRichText", "Is Rich Text"),
		picklist("Status", "Status", []string{"Published", "PendingReview"}, restricted, withDefault("Published")),
		integer("Revision", "Revision", readOnly, required, withDefault(int64(1))),
		ref("InsertedById", "InsertedBy ID", "InsertedBy", one("User"), readOnly),
	)
	remark.NoModified, remark.NoWhole = true, true
	chat := object("LiveChatTranscript", "Chat Transcript", "Chat Transcripts", "570",
		str("Name", "Transcript Name", 255, required, readOnly, nameField, func(f *Field) { f.AutoNumber = true }),
		ref("CaseId", "Case ID", "Case", one("Case"), kept("LiveChatTranscripts")),
		ref("ContactId", "Contact ID", "Contact", one("Contact"), kept("LiveChatTranscripts")),
		area("Body", "Transcript Body", 131072, htmlText),
		picklist("Status", "Status", []string{"Waiting", "InProgress", "Completed", "Missed"}, withDefault("Completed")),
		datetime("StartTime", "Start Time"),
		datetime("EndTime", "End Time"),
		integer("ChatDuration", "Chat Duration"),
		integer("WaitTime", "Wait Time"),
		ref("OwnerId", "Owner ID", "Owner", []string{"Group", "User"}, required),
	)
	organization := object("Organization", "Organization", "Organization", "00D",
		str("Name", "Name", 80, nameField),
		str("PrimaryContact", "Primary Contact", 80),
		flag("IsSandbox", "Is Sandbox", readOnly),
		picklist("OrganizationType", "Edition", []string{"Developer Edition", "Enterprise Edition"}, readOnly, withDefault("Enterprise Edition")),
		str("InstanceName", "Instance Name", 5, readOnly, withDefault("SIM1")),
	)
	organization.NoReplication, organization.NoUndelete = true, true
	for _, o := range []*Object{user, group, organization} {
		o.withoutBin()
	}
	survey := object("Survey_Response__c", "Survey Response", "Survey Responses", "a00",
		str("Name", "Survey Response Name", 80, required, readOnly, alwaysSeen, nameField, func(f *Field) { f.AutoNumber = true }),
		ref("OwnerId", "Owner ID", "Owner", []string{"Group", "User"}, required),
		datetime("Submitted__c", "Submitted"),
		area("Feedback__c", "Feedback", 32768),
		double("Score__c", "Score", 4, 1),
		ref("Case__c", "Case", "Case__r", one("Case"), kept("Survey_Responses__r")),
	)
	event := object("Event", "Event", "Events", "00U",
		ref("WhoId", "Name ID", "Who", one("Contact"), kept("Events")),
		ref("WhatId", "Related To ID", "What", []string{"Account", "Case"}, children("Events")),
		combobox("Subject", "Subject", []string{"Call", "Meeting", "Other"}),
		datetime("StartDateTime", "Start Date Time"),
		datetime("EndDateTime", "End Date Time"),
		ref("OwnerId", "Assigned To ID", "Owner", []string{"Group", "User"}, required),
		area("Description", "Description", 32000),
		flag("IsArchived", "Archived", readOnly),
	)
	history := object("CaseHistory", "Case History", "Case History", "017",
		ref("CaseId", "Case ID", "Case", one("Case"), required, children("Histories")),
		picklist("Field", "Changed Field", historyFields, required),
		picklist("DataType", "Datatype", []string{"Text", "EntityId"}),
		anything("OldValue", "Old Value"),
		anything("NewValue", "New Value"),
	)
	history.ReadOnly, history.NoUndelete, history.NoStamp, history.NoModified = true, true, true, true
	share := object("CaseShare", "Case Share", "Case Share", "01n",
		ref("CaseId", "Case ID", "Case", one("Case"), required, createOnly, children("Shares")),
		ref("UserOrGroupId", "User/Group ID", "UserOrGroup", []string{"Group", "User"}, required, createOnly),
		picklist("CaseAccessLevel", "Case Access", []string{"Read", "Edit", "All"}, required, restricted, withDefault("Read")),
		picklist("RowCause", "Row Cause", []string{"Owner", "Manual", "Rule"}, restricted, createOnly, withDefault("Manual")),
	)
	share.NoUndelete, share.NoStamp, share.NoCreated = true, true, true
	attachment := object("Attachment", "Attachment", "Attachments", "00P",
		ref("ParentId", "Parent ID", "Parent", []string{"Account", "Case", "Contact", "EmailMessage", "Task"}, required, createOnly, children("Attachments")),
		str("Name", "File Name", 255, required, nameField),
		str("ContentType", "Content Type", 120),
		integer("BodyLength", "Body Length", readOnly),
		file("Body", "Body", required),
		str("Description", "Description", 500),
		ref("OwnerId", "Owner ID", "Owner", one("User"), required),
	)
	status := object("CaseStatus", "Case Status Value", "Case Status Values", "01J",
		str("MasterLabel", "Master Label", 255, readOnly, nameField),
		str("ApiName", "API Name", 255, readOnly),
		integer("SortOrder", "Sort Order", readOnly),
		flag("IsDefault", "Is Default", readOnly),
		flag("IsClosed", "Is Closed", readOnly),
	).withoutBin()
	status.ReadOnly, status.NoReplication, status.NoUndelete, status.NoBulk = true, true, true, true
	return append([]*Object{
		account, attachment, status, cases, comment, contact, message, relation.audited(), feed, remark.audited(), group, chat, organization, survey, task, user,
		event, history.audited(), share.audited(),
	}, permissionObjects()...)
}
