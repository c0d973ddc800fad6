// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";

/// @notice Tokens as they are met in the wild, each with one habit. Anyone may mint: they exist on test chains only.
abstract contract TestToken is ERC20 {
    function mint(address to, uint256 amount) external {
        _mint(to, amount);
    }
}

/// @notice Burns one percent of every transfer and announces the full amount, so that `Transfer` says more than arrives.
contract FeeToken is TestToken {
    address private constant SINK = address(0xdead);

    constructor() ERC20("Fee Token", "FEE") {}

    function transfer(address to, uint256 amount) public override returns (bool) {
        uint256 fee = amount / 100;
        _transfer(msg.sender, to, amount);
        // The fee leaves the recipient without an event: only the balance tells what arrived.
        _takeQuietly(to, fee);
        return true;
    }

    mapping(address account => uint256 taken) private _taken;

    function _takeQuietly(address account, uint256 fee) private {
        _taken[account] += fee;
        _taken[SINK] += fee;
    }

    function balanceOf(address account) public view override returns (uint256) {
        uint256 gross = super.balanceOf(account);
        return account == SINK ? gross + _taken[account] : gross - _taken[account];
    }

    function _update(address from, address to, uint256 amount) internal override {
        require(from == address(0) || balanceOf(from) >= amount, "FeeToken: balance too low");
        super._update(from, to, amount);
    }
}

/// @notice Returns nothing from `transfer`, as the first large stablecoin does.
contract SilentToken {
    event Transfer(address indexed from, address indexed to, uint256 value);

    mapping(address account => uint256 balance) public balanceOf;

    function mint(address to, uint256 amount) external {
        balanceOf[to] += amount;
        emit Transfer(address(0), to, amount);
    }

    function transfer(address to, uint256 amount) external {
        balanceOf[msg.sender] -= amount;
        balanceOf[to] += amount;
        emit Transfer(msg.sender, to, amount);
    }
}

/// @notice Returns false instead of reverting when the balance is too low.
contract FalseToken {
    event Transfer(address indexed from, address indexed to, uint256 value);

    mapping(address account => uint256 balance) public balanceOf;

    function mint(address to, uint256 amount) external {
        balanceOf[to] += amount;
        emit Transfer(address(0), to, amount);
    }

    function transfer(address to, uint256 amount) external returns (bool) {
        if (balanceOf[msg.sender] < amount) return false;
        balanceOf[msg.sender] -= amount;
        balanceOf[to] += amount;
        emit Transfer(msg.sender, to, amount);
        return true;
    }
}

interface ITokenHook {
    function tokensMoved(address from, address to, uint256 amount) external;
}

/// @notice Calls a registered hook of the sender before and of the recipient after a transfer, in the manner of ERC-777.
contract CallbackToken is TestToken {
    mapping(address account => address hook) public hookOf;

    constructor() ERC20("Callback Token", "CBK") {}

    function setHook(address hook) external {
        hookOf[msg.sender] = hook;
    }

    function _update(address from, address to, uint256 amount) internal override {
        if (hookOf[from] != address(0)) ITokenHook(hookOf[from]).tokensMoved(from, to, amount);
        super._update(from, to, amount);
        if (hookOf[to] != address(0)) ITokenHook(hookOf[to]).tokensMoved(from, to, amount);
    }
}

/// @notice Registers itself as its own hook and, when tokens arrive, at once sends half of them on.
contract ReentrantRecipient is ITokenHook {
    CallbackToken private immutable TOKEN;
    address private immutable NEXT;
    bool private _entered;

    constructor(CallbackToken token, address next) {
        TOKEN = token;
        NEXT = next;
        token.setHook(address(this));
    }

    function tokensMoved(address, address to, uint256 amount) external {
        if (_entered || to != address(this)) return;
        _entered = true;
        TOKEN.transfer(NEXT, amount / 2);
        _entered = false;
    }
}

/// @notice Reverts transfers while stopped: a paused token, or a sender on a blocklist.
contract StoppableToken is TestToken {
    bool public stopped;

    constructor() ERC20("Stoppable Token", "STP") {}

    function setStopped(bool value) external {
        stopped = value;
    }

    function _update(address from, address to, uint256 amount) internal override {
        require(!stopped || from == address(0), "StoppableToken: stopped");
        super._update(from, to, amount);
    }
}

/// @notice Emits `Transfer` events that nothing stands behind, well shaped and misshapen.
contract ForgedToken {
    event Transfer(address indexed from, address indexed to, uint256 value);

    function balanceOf(address) external pure returns (uint256) {
        return 0;
    }

    function forge(address from, address to, uint256 amount) external {
        emit Transfer(from, to, amount);
    }

    /// @notice Shapes a careless reader stumbles over: four topics, two topics, short data, long data, dirty address.
    function forgeMisshapen(address from, address to) external {
        bytes32 signature = Transfer.selector;
        assembly {
            mstore(0, 1)
            log4(0, 32, signature, from, to, 1)
            log2(0, 32, signature, from)
            log3(0, 31, signature, from, to)
            log3(0, 64, signature, from, to)
            log3(0, 32, signature, from, or(to, shl(255, 1)))
            log0(0, 32)
        }
    }
}
