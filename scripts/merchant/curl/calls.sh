# What the walk-throughs beside it share; sourced by them.

call() { # call METHOD PATH [BODY] [HEADER]: prints what was asked and answered; the answer is in $answer
    local method=$1 path=$2 body=${3:-} header=${4:-}
    local options=(--silent --show-error --max-time 10 --request "$method" --write-out '\n%{http_code}')
    [ -n "$body" ] && options+=(--header 'Content-Type: application/json' --data-binary "$body")
    [ -n "$header" ] && options+=(--header "$header")
    # the key goes through a file descriptor: what stands in arguments, every process can read
    answer=$(curl "${options[@]}" --config <(printf 'header = "Authorization: Bearer %s"\n' "$SMSGW_API_KEY") "$SMSGW_API$path")
    printf '%s %s\n  %s\n' "$method" "$path" "${answer//$'\n'/  → }"
}
field() { # field NAME: a string member of the answer
    printf '%s' "$answer" | sed -n "s/.*\"$1\":\"\([^\"]*\)\".*/\1/p" | head -n 1
}
json() { # json TEXT: the text as a JSON string
    local text=${1//\\/\\\\}
    printf '"%s"' "${text//\"/\\\"}"
}
fresh() { # fresh NAME: a name that nobody has used
    printf '%s-%s' "$1" "$(od -An -N12 -tx1 /dev/urandom | tr -d ' \n')"
}
